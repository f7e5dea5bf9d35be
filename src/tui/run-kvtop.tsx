import {render} from 'ink'
import {Kvtop, type KvtopProps} from './kvtop.js'
import {FrameStream, type TerminalOutput} from './terminal/frame-stream.js'
import {takeScreen} from './terminal/full-screen.js'

export interface KvtopOptions extends Omit<KvtopProps, 'terminal'> {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: TerminalOutput & {readonly fd?: number}
  readonly hasMouse: boolean
  /** Ends the screen as `q` does. */
  readonly signal: AbortSignal
}

/** Draws until `q`, Ctrl-C or the signal; the terminal is then as before. @throws what the looks or the screen threw */
export async function runKvtop({stdin, stdout, hasMouse, signal, ...props}: KvtopOptions): Promise<void> {
  if (signal.aborted) return
  const frames = new FrameStream(stdout)
  const giveBack = takeScreen(stdout, hasMouse, () => frames.close())
  try {
    // In its debug mode Ink writes each frame whole and leaves the terminal to us, also where CI is set.
    const screen = render(<Kvtop {...props} terminal={stdout} />, {
      stdin,
      stdout: frames as unknown as NodeJS.WriteStream,
      debug: true,
      exitOnCtrlC: false,
      patchConsole: false,
    })
    const leave = (): void => screen.unmount()
    signal.addEventListener('abort', leave, {once: true})
    await screen.waitUntilExit().finally(() => signal.removeEventListener('abort', leave))
  } finally {
    giveBack()
  }
}
