import {Writable} from 'node:stream'
import {render} from 'ink'
import {Kvtop, type KvtopProps, type LookSource} from './kvtop.js'
import {FrameWriter, type TerminalOutput} from './terminal/frame-writer.js'
import {takeScreen} from './terminal/full-screen.js'

export interface KvtopOptions extends Omit<KvtopProps, 'terminal' | 'frames'> {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: TerminalOutput & {readonly fd?: number}
  readonly hasMouse: boolean
  /** Ends the screen as `q` does. */
  readonly signal: AbortSignal
}

/** Draws until `q`, Ctrl-C or the signal; the terminal is then as before. @throws what the looks or the screen threw */
export async function runKvtop({
  stdin,
  stdout,
  hasMouse,
  signal,
  looks,
  ...props
}: KvtopOptions): Promise<void> {
  if (signal.aborted) return
  // React ends what a component began some time after it is gone; who returns from here closes what the looks need.
  const left = new AbortController()
  const looksUntilLeft: LookSource = async (onLook, gone) =>
    looks(onLook, AbortSignal.any([gone, left.signal]))
  const frames = new FrameWriter(stdout)
  const giveBack = takeScreen(stdout, hasMouse, () => frames.close())
  try {
    // Ink reads the keys; what it would write goes nowhere. In its debug mode it leaves the terminal alone, also where CI is set.
    const screen = render(<Kvtop {...props} looks={looksUntilLeft} terminal={stdout} frames={frames} />, {
      stdin,
      stdout: nowhere(stdout),
      debug: true,
      exitOnCtrlC: false,
      patchConsole: false,
    })
    const leave = (): void => screen.unmount()
    signal.addEventListener('abort', leave, {once: true})
    await screen.waitUntilExit().finally(() => signal.removeEventListener('abort', leave))
  } finally {
    left.abort()
    giveBack()
  }
}

/** Takes what Ink writes. It has a size, or Ink would run `tput` for each frame to learn one. */
function nowhere({columns, rows}: TerminalOutput): NodeJS.WriteStream {
  const sink = new Writable({write: (_chunk, _encoding, done) => done()})
  return Object.assign(sink, {columns: columns || 80, rows: rows || 24}) as unknown as NodeJS.WriteStream
}
