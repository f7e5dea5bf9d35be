import type {BenchWatcher} from '../lib/bench/index.js'
import {createProgressLine} from './progress-line.js'
import {canColor} from './table.js'

/** What a user sees of a run while it lasts. */
export interface RunDisplay {
  readonly watcher: BenchWatcher
  /** Leaves the terminal as other output expects it. */
  end(): void
}

const [REDRAW_MS, SAY_MS] = [250, 1000]

/**
 * A live screen on a terminal, lines elsewhere, on stderr either way.
 *
 * @param total how many requests are sent, warm-up included
 * @param isPlain lines on a terminal too
 * @param limitMs when the load ends anyway
 */
export async function openRunDisplay(
  total: number,
  isPlain: boolean,
  limitMs = Infinity,
): Promise<RunDisplay> {
  const {createLiveRun, progressLine} = await import('../lib/bench/index.js')
  const {stderr, env} = process
  const hasScreen = stderr.isTTY && env['TERM'] !== 'dumb' && !isPlain
  const screen = hasScreen ? await openScreen() : null
  const line = createProgressLine(stderr)
  const nowMs = (): number => performance.now()
  let live = createLiveRun(total, nowMs(), limitMs)
  let facts = {title: 'waiting for the load processes'}
  let isUnderWay = false
  // However often the load processes report: a look costs time that the measurement may need.
  const draw = (): void => {
    if (screen !== null) screen.show(live.look(nowMs()), facts)
    else if (isUnderWay) line.show(progressLine(live.look(nowMs())))
  }
  const timer = setInterval(draw, screen === null ? SAY_MS : REDRAW_MS)
  return {
    watcher: {
      note: text => (screen ?? line).note(text),
      starting({model, urls}) {
        facts = {title: `${model} on ${urls.join(', ')}`}
        live = createLiveRun(total, nowMs(), limitMs)
      },
      progress(counts) {
        isUnderWay = true
        live.progress(counts, nowMs())
      },
      answered: records => live.answered(records, nowMs()),
      looked: sample => live.looked(sample),
    },
    end() {
      clearInterval(timer)
      // A run that is shorter than the time between two lines shows one too.
      if (screen === null) draw()
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
