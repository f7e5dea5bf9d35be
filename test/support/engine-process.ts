import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {createInterface} from 'node:readline'
import {startCli} from './cli.js'

/** The first line of `kvctl engine --json`. */
export interface Announcement {
  readonly url: string
  readonly pid: number
  readonly segment: string
}

/** A started `kvctl engine --json`, on a free port unless `args` name one, and its first line. */
export async function startEngine(...args: string[]): Promise<Announcement & {child: ChildProcess}> {
  const port = args.includes('--port') ? [] : ['--port', '0']
  const child = startCli(['engine', ...port, '--json', ...args])
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
  return {...(JSON.parse(line) as Announcement), child}
}

/** @returns the exit status */
export async function endEngine(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal)
  const [code] = (await once(child, 'close')) as [number | null]
  return code
}
