import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {createConnection} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {freePort} from './free-port.js'

export interface RedisServer {
  readonly port: number
  readonly url: string
  readonly process: ChildProcess
  /** Ends it as `kill -9` does, keeping the port for {@link start}. */
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** A real redis-server on a port of its own; `config` are lines of its configuration, `isSentinel` makes it one. */
export async function startRedis(config: readonly string[] = [], isSentinel = false): Promise<RedisServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'kvctl-redis-'))
  const file = join(folder, 'redis.conf')
  const common = [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, 'loglevel warning', 'logfile ""']
  const usual = isSentinel ? [] : ['save ""', 'appendonly no', 'protected-mode no']
  writeFileSync(file, [...common, ...usual, ...config].join('\n'))
  let child: ChildProcess
  const start = async (): Promise<void> => {
    child = spawn('redis-server', [file, ...(isSentinel ? ['--sentinel'] : [])], {stdio: 'ignore'})
    await accepts(port)
  }
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await start()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get process() {
      return child
    },
    kill,
    start,
    async stop() {
      await kill()
      rmSync(folder, {recursive: true, force: true})
    },
  }
}

async function accepts(port: number): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const socket = createConnection({host: '127.0.0.1', port})
    const isOpen = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  throw new Error(`nothing listens on port ${port} within ten seconds`)
}
