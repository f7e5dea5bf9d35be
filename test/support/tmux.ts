import {execFileSync} from 'node:child_process'
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {repositoryRoot} from './cli.js'
import {until} from './until.js'

export interface TmuxOptions {
  readonly columns?: number
  readonly rows?: number
  readonly env?: Readonly<Record<string, string>>
}

/** A shell in a real terminal of its own, driven by tmux. */
export class Tmux {
  readonly #folder = mkdtempSync(join(tmpdir(), 'kvctl-tmux-'))

  constructor({columns = 80, rows = 24, env = {}}: TmuxOptions = {}) {
    const shell = ['sh', '-c', 'PS1="prompt> " exec sh -i']
    const words = Object.entries({LC_ALL: 'C.UTF-8', ...env}).map(([name, value]) => `${name}=${value}`)
    this.#tmux('new-session', '-d', '-x', `${columns}`, '-y', `${rows}`, 'env', ...words, ...shell)
  }

  /** What is on the screen, without trailing blanks. */
  get screen(): string {
    return this.#tmux('capture-pane', '-p')
      .replaceAll(/[ \t]+$/gm, '')
      .trimEnd()
  }

  /** Whether the program has taken the second screen, and whether the cursor shows. */
  get state(): {isAlternate: boolean; hasCursor: boolean; hasMouse: boolean} {
    const told = this.#tmux(
      'display-message',
      '-p',
      '#{alternate_on} #{cursor_flag} #{mouse_any_flag}',
    ).trim()
    const [alternate, cursor, mouse] = told.split(' ')
    return {isAlternate: alternate === '1', hasCursor: cursor === '1', hasMouse: mouse === '1'}
  }

  /** Types a command line and Enter when the shell is ready. @param args of kvctl */
  async start(...args: string[]): Promise<void> {
    await this.shows(/prompt>$/)
    this.type(`${process.execPath} ${join(repositoryRoot, 'bin/run.js')} ${args.join(' ')}`)
    this.press('Enter')
  }

  /** @param keys as tmux names them */
  press(...keys: string[]): void {
    this.#tmux('send-keys', ...keys)
  }

  type(text: string): void {
    this.#tmux('send-keys', '-l', text)
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`)
  }

  /** The process that was started last in this terminal's shell. */
  get programPid(): number {
    const shell = this.#tmux('display-message', '-p', '#{pane_pid}').trim()
    const pids = execFileSync('ps', ['--ppid', shell, '-o', 'pid=']).toString().trim().split(/\s+/)
    return Number(pids.at(-1))
  }

  async shows(text: string | RegExp): Promise<void> {
    await until(
      () => (typeof text === 'string' ? this.screen.includes(text) : text.test(this.screen)),
      () => `no ${String(text)} on\n${this.screen}`,
    )
  }

  close(): void {
    try {
      this.#tmux('kill-server')
    } catch {
      // It ended with its last shell.
    }
    rmSync(this.#folder, {recursive: true, force: true})
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-S', join(this.#folder, 'socket'), '-f', '/dev/null', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }).toString()
  }
}
