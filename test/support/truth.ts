import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import type {TruthEntry, TruthOptions} from './truth-server.js'

export interface TruthServer {
  readonly port: number
  readonly url: string
  /** Ends the server and reads what it wrote down. */
  stop(): Promise<TruthEntry[]>
}

/** Starts the truth server as a process of its own. */
export async function startTruthServer(
  options: Partial<Omit<TruthOptions, 'log'>> = {},
): Promise<TruthServer> {
  const folder = await mkdtemp(join(tmpdir(), 'kvctl-truth-'))
  const log = join(folder, 'truth.jsonl')
  const asked: TruthOptions = {ttftMs: 20, gapMs: 2, tokens: 8, modes: ['ok'], ...options, log}
  const path = fileURLToPath(new URL('truth-server.js', import.meta.url))
  const child = spawn(process.execPath, [path, JSON.stringify(asked)], {stdio: ['pipe', 'pipe', 'inherit']})
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const {port} = JSON.parse(line.toString()) as {port: number}
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      const closed = once(child, 'close')
      child.stdin.end()
      await closed
      const text = await readFile(log, 'utf8')
      await rm(folder, {recursive: true})
      return text
        .split('\n')
        .filter(entry => entry !== '')
        .map(entry => JSON.parse(entry) as TruthEntry)
    },
  }
}
