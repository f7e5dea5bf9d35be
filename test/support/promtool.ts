import {spawn} from 'node:child_process'
import {once} from 'node:events'

/** What `promtool check metrics` says of a page. */
export async function checkMetrics(page: string): Promise<{status: number; complaints: string[]}> {
  const child = spawn('promtool', ['check', 'metrics'], {stdio: ['pipe', 'pipe', 'pipe']})
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  child.stdin.end(page)
  const [status] = (await once(child, 'close')) as [number]
  return {status, complaints: said.split('\n').filter(line => line !== '')}
}
