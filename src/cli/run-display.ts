import type {BenchWatcher} from '../lib/bench/index.js'
import {createProgressLine} from './progress-line.js'
import {canColor} from './table.js'

/** What a user sees of a run while it lasts. */
export interface RunDisplay {
  readonly watcher: BenchWatcher
  /** Leaves the terminal as other output expects it. */
  end(): void
}

const REDRAW_MS = 250

/**
 * A live screen on a terminal, lines elsewhere, on stderr either way.
 *
 * @param total how many requests are sent, warm-up included
 * @param isPlain lines on a terminal too
 */
export async function openRunDisplay(total: number, isPlain: boolean): Promise<RunDisplay> {
  const {createLiveRun, progressLine} = await import('../lib/bench/index.js')
  const {stderr, env} = process
  const hasScreen = stderr.isTTY && env['TERM'] !== 'dumb' && !isPlain
  const screen = hasScreen ? await openScreen() : null
  const line = createProgressLine(stderr)
  const nowMs = (): number => performance.now()
  let live = createLiveRun(total, nowMs())
  let facts = {title: 'waiting for the load processes'}
  const draw = (): void => {
    if (screen !== null) screen.show(live.look(nowMs()), facts)
  }
  const timer = screen === null ? null : setInterval(draw, REDRAW_MS)
  return {
    watcher: {
      note: text => (screen ?? line).note(text),
      starting({model, urls}) {
        facts = {title: `${model} on ${urls.join(', ')}`}
        live = createLiveRun(total, nowMs())
      },
      progress(counts) {
        live.progress(counts, nowMs())
        if (screen === null) line.show(progressLine(live.look(nowMs())))
      },
      answered: records => live.answered(records, nowMs()),
      looked: sample => live.looked(sample),
    },
    end() {
      if (timer !== null) clearInterval(timer)
      screen?.end()
      line.end()
    },
  }
}

/** Loaded before the run begins: what is compiled while requests are sent would make them late. */
async function openScreen() {
  const {stderr, stdin, env} = process
  const {ASCII, canShowUnicode, UNICODE} = await import('../tui/draw/glyphs.js')
  const {openBenchScreen} = await import('../tui/bench/run-bench-screen.js')
  return openBenchScreen({
    stdin,
    terminal: stderr,
    glyphs: canShowUnicode(env) ? UNICODE : ASCII,
    hasColor: canColor(stderr, env),
  })
}
