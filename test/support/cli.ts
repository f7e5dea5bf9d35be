import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'

/** The repository's root, from wherever the compiled test lies. */
export const repositoryRoot: string = (function find(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : find(dirname(folder))
})(dirname(fileURLToPath(import.meta.url)))

export interface CliResult {
  readonly code: number
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly input?: string
}

/** Starts the built `bin/run.js` as a user's shell would, in its own process group. */
export function startCli(args: readonly string[], options: CliOptions = {}): ChildProcess {
  const env = {...process.env, NO_COLOR: '1', ...options.env}
  return spawn(process.execPath, [join(repositoryRoot, 'bin/run.js'), ...args], {
    cwd: options.cwd ?? repositoryRoot,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

/** Runs the built program to its end and gives what it printed and how it left. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = startCli(args, options)
  child.stdin!.end(options.input ?? '')
  let [stdout, stderr] = ['', '']
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return {code: code ?? -1, signal, stdout, stderr}
}

/** Reads a file of the repository. */
export function readRepositoryFile(path: string): string {
  return readFileSync(join(repositoryRoot, path), 'utf8')
}
