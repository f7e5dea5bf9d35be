import {chmodSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'

/** How a stand-in engine was started. */
export interface PythonStart {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/**
 * A `python3` for the PATH of a test: writes down its arguments and environment, says a line on each stream, answers `/health` at
 * its `--port`, and keeps a kvcached segment in `KVCTL_SHM_DIR` as an engine patched by kvcached does, unless told not to.
 *
 * @param folder where `python3` is put
 * @returns how it was started, one entry each time
 */
export function standInPython(folder: string): () => PythonStart[] {
  const starts = join(folder, 'starts.jsonl')
  writeFileSync(starts, '')
  const path = join(folder, 'python3')
  writeFileSync(
    path,
    `#!${process.execPath}
const {appendFileSync, rmSync, writeFileSync} = require('node:fs')
const {createServer} = require('node:http')
const argv = process.argv.slice(2)
appendFileSync(${JSON.stringify(starts)}, JSON.stringify({argv, env: process.env}) + '\\n')
const port = Number(argv[argv.indexOf('--port') + 1])
const isPatched = process.env.ENABLE_KVCACHED === 'true' && process.env.KVCACHED_AUTOPATCH === '1' && !process.env.STAND_IN_BARE
// A process that is started detached leads its group, so that its pid is the group's.
const tag = argv[1].startsWith('vllm') ? 'vLLM' : 'SGLang'
const name = process.env.KVCACHED_IPC_NAME || 'kvcached_' + tag + '_' + process.pid
const segment = process.env.KVCTL_SHM_DIR + '/' + name
console.log('loading ' + argv[3])
process.stderr.write('progress 50%\\rprogress 100%\\n')
createServer((request, response) => response.writeHead(request.url === '/health' ? 200 : 404).end()).listen(port, '127.0.0.1', () => {
  if (!isPatched) return
  const record = Buffer.alloc(24)
  record.writeBigInt64LE(1n << 30n)
  writeFileSync(segment, record)
})
process.on('SIGTERM', () => {
  if (isPatched) rmSync(segment, {force: true})
  console.log('bye')
  process.exit(0)
})
`,
  )
  chmodSync(path, 0o755)
  return () =>
    readFileSync(starts, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as PythonStart)
}
