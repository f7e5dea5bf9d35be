import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {createInterface} from 'node:readline'
import {startCli} from './cli.js'

export interface ServeProcess {
  readonly url: string
  readonly child: ChildProcess
  /** What it said on stderr so far. */
  readonly log: () => string
}

/** A started `kvctl serve --port 0 --json` that listens. */
export async function startServe(...args: string[]): Promise<ServeProcess> {
  return startServeWith({}, ...args)
}

export async function startServeWith(env: NodeJS.ProcessEnv, ...args: string[]): Promise<ServeProcess> {
  const child = startCli(['serve', '--port', '0', '--json', ...args], {
    env: {KVCTL_TOKEN: '', KVMINI_TOKEN: '', ...env},
  })
  let log = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (log += text))
  const ended = once(child, 'close').then(() => null)
  const first = await Promise.race([once(createInterface(child.stdout!), 'line') as Promise<[string]>, ended])
  if (first === null) throw new Error(`kvctl serve ended: ${log}`)
  return {url: (JSON.parse(first[0]) as {url: string}).url, child, log: () => log}
}
