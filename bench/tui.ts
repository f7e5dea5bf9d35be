/**
 * kvtop beside `top -d 1`: from the start to the first frame that shows a segment, the share of a core at one look a second,
 * and from `q` to the end of the program, with 1, 50 and 500 segments and 8 GPUs of a stand-in driver (the process that asks
 * it counted in). All in terminals of 80×24 of tmux. Medians of the starts and ends; the share is the median of windows of 5 s,
 * with the lowest and the highest: on shared machines the same look takes one or three times as long within a minute.
 *
 *     npm run build && npm run build:test && node build/bench/tui.js [STARTS] [SECONDS]
 */
import {execFileSync} from 'node:child_process'
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {cpus, tmpdir} from 'node:os'
import {join} from 'node:path'
import {bareDriver, fullGpu} from '../test/support/nvml/driver-facts.js'
import {standInDriver} from '../test/support/nvml/stand-in.js'
import {recordBytes} from '../test/support/segments.js'
import {Tmux} from '../test/support/tmux.js'
import {until} from '../test/support/until.js'
import {median} from './support/median.js'
import {useOf} from './support/process-figures.js'

const [starts, seconds] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 20)]
const WINDOW_S = 5
const root = mkdtempSync(join(tmpdir(), 'kvctl-bench-tui-'))
process.on('exit', () => rmSync(root, {recursive: true}))

/** A program with its children. */
function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return [pid, ...children.map(Number)]
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

interface Figures {
  readonly firstMs: number
  /** Of a core, by window, in order of size. */
  readonly shares: readonly number[]
  readonly endMs: number
  readonly residentMib: number
}

async function measure(
  start: (tmux: Tmux) => Promise<void>,
  env: Record<string, string>,
  mark: RegExp,
): Promise<Figures> {
  const [firsts, ends]: [number[], number[]] = [[], []]
  const shares: number[] = []
  let residentMib = 0
  for (let round = 0; round < starts; round++) {
    const tmux = new Tmux({env})
    try {
      await tmux.shows(/prompt>$/)
      const startMs = performance.now()
      await start(tmux)
      await until(
        () => mark.test(tmux.screen),
        () => tmux.screen,
      )
      firsts.push(performance.now() - startMs)
      const pid = tmux.programPid
      if (round === starts - 1) {
        // What starting costs is over then: V8 clears up after it some 8 s later, twice, which no later look pays for.
        await new Promise(resolve => setTimeout(resolve, 12_000))
        const pids = family(pid)
        const used = async (): Promise<number> =>
          (await Promise.all(pids.map(useOf))).reduce((sum, {cpuSeconds}) => sum + cpuSeconds, 0)
        for (let measuredS = 0; measuredS < seconds; measuredS += WINDOW_S) {
          const [before, beforeMs] = [await used(), performance.now()]
          await new Promise(resolve => setTimeout(resolve, WINDOW_S * 1000))
          shares.push(((await used()) - before) / ((performance.now() - beforeMs) / 1000))
        }
        residentMib = (await useOf(pid)).rssMib
      }
      const pressedMs = performance.now()
      tmux.press('q')
      while (isAlive(pid)) await new Promise(resolve => setTimeout(resolve, 1))
      ends.push(performance.now() - pressedMs)
    } finally {
      tmux.close()
    }
  }
  return {firstMs: median(firsts), shares: shares.sort((a, b) => a - b), endMs: median(ends), residentMib}
}

const percent = (share: number): string => (share * 100).toFixed(1)
const row = (name: string, {firstMs, shares, endMs, residentMib}: Figures): void =>
  console.log(
    `${name.padEnd(28)} ${firstMs.toFixed(0).padStart(6)} ms ${percent(median(shares)).padStart(6)} % ` +
      `${`(${percent(shares[0]!)}–${percent(shares.at(-1)!)})`.padStart(12)} ${endMs.toFixed(0).padStart(6)} ms ${residentMib.toFixed(0).padStart(6)} MiB`,
  )

/** What a call of tmux costs: each figure in ms is that much too large. */
function tmuxMs(): number {
  const tmux = new Tmux()
  try {
    const times = Array.from({length: 9}, () => {
      const startMs = performance.now()
      tmux.press('Left')
      return performance.now() - startMs
    })
    return median(times)
  } finally {
    tmux.close()
  }
}

function segmentsFolder(count: number): string {
  const folder = join(root, `${count}`)
  mkdirSync(folder)
  for (let at = 0; at < count; at++)
    writeFileSync(join(folder, `kvcached_vLLM_${1000 + at}`), recordBytes(8n << 30n, BigInt(at) << 20n))
  return folder
}

const tmuxVersion = execFileSync('tmux', ['-V']).toString().trim()
console.log(
  `${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, ${tmuxVersion} (a call of it: ${tmuxMs().toFixed(1)} ms), ` +
    `${starts} starts, ${seconds} s at 1 Hz`,
)
console.log(
  `${''.padEnd(28)} ${'first'.padStart(9)} ${'core'.padStart(8)} ${''.padStart(12)} ${'q to end'.padStart(9)} ${'resident'.padStart(10)}`,
)
const top = async (tmux: Tmux): Promise<void> => {
  tmux.type('top -d 1')
  tmux.press('Enter')
}
row('top -d 1', await measure(top, {}, /PID USER/))
const kvtop = async (tmux: Tmux): Promise<void> => tmux.start('kvtop')
const envOf = (folder: string): Record<string, string> => ({
  KVCTL_SHM_DIR: folder,
  KVCTL_STATE_DIR: join(root, 'state'),
})
const folders = [1, 50, 500].map(count => [count, segmentsFolder(count)] as const)
const facts = Array.from({length: 8}, (_, index) => fullGpu(index)).reduce(
  (all, one) => ({...all, ...one}),
  bareDriver(8),
)
const driver = standInDriver(root, facts)
for (const [count, folder] of folders)
  row(
    `kvtop, ${count} segments, 8 GPUs`,
    await measure(kvtop, {...envOf(folder), ...driver.env}, /kvcached_vLLM_1000/),
  )
row('kvtop, 50 segments, no GPU', await measure(kvtop, envOf(folders[1]![1]), /kvcached_vLLM_1000/))
console.log('aims at 50 segments: first frame < 400 ms, < 2 % of a core; q to end < 100 ms')
