import {execFile, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {promisify} from 'node:util'
import {repositoryRoot} from '../../test/support/cli.js'

/** What the server really did, ms of the machine's monotonic clock. */
export interface TrueTimes {
  readonly requestId: string
  readonly receivedMs: number
  /** Just before each token was written. */
  readonly tokenMs: readonly number[]
}

export interface TruthInC {
  readonly port: number
  /** Ends the server. */
  stop(): Promise<TrueTimes[]>
}

let program: Promise<string> | null = null

/** Starts `truth-server.c`, which has no pauses of its own, compiled when it is first asked for. It needs `cc`. */
export async function startTruthInC(times: {
  readonly ttftMs: number
  readonly gapMs: number
  readonly tokens: number
}): Promise<TruthInC> {
  program ??= compile()
  const {ttftMs, gapMs, tokens} = times
  const child = spawn(await program, [ttftMs, gapMs, tokens].map(String), {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]()
  const port = Number((await lines.next()).value)
  return {
    port,
    async stop() {
      const closed = once(child, 'close')
      child.stdin.end()
      const told: TrueTimes[] = []
      for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
        const [requestId, receivedMs, ...tokenMs] = line.value.split(' ')
        told.push({requestId: requestId!, receivedMs: Number(receivedMs), tokenMs: tokenMs.map(Number)})
      }
      await closed
      return told
    },
  }
}

async function compile(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'kvctl-bench-'))
  process.on('exit', () => rmSync(folder, {recursive: true}))
  const path = join(folder, 'truth-server')
  await promisify(execFile)('cc', ['-O2', '-o', path, join(repositoryRoot, 'bench/support/truth-server.c')])
  return path
}
