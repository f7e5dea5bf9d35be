/**
 * kvtop beside `top -d 1`: from the start to the first frame that shows a segment, and the share of a core at one look a second, with 1, 50 and 500 segments and no GPU. Both run in
 * terminals of 80×24 of tmux. Medians of the starts; the share is CPU time of the whole process over SECONDS.
 *
 *     npm run build && npm run build:test && node build/bench/kvtop.js [STARTS] [SECONDS]
 */
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {cpus, tmpdir} from 'node:os'
import {join} from 'node:path'
import {recordBytes} from '../test/support/segments.js'
import {Tmux} from '../test/support/tmux.js'
import {until} from '../test/support/until.js'
import {median} from './support/median.js'

const [starts, seconds] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 10)]
const CLOCK_TICKS = 100
const root = mkdtempSync(join(tmpdir(), 'kvctl-bench-kvtop-'))
process.on('exit', () => rmSync(root, {recursive: true}))

/** CPU seconds that a process has used, in user and system. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS
}

async function measure(
  start: (tmux: Tmux) => Promise<void>,
  env: Record<string, string>,
  mark: RegExp,
): Promise<[ms: number, share: number]> {
  const times: number[] = []
  let share = 0
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
      times.push(performance.now() - startMs)
      if (round < starts - 1) continue
      const pid = tmux.programPid
      // What starting costs is over then.
      await new Promise(resolve => setTimeout(resolve, 2000))
      const before = cpuSeconds(pid)
      await new Promise(resolve => setTimeout(resolve, seconds * 1000))
      share = (cpuSeconds(pid) - before) / seconds
    } finally {
      tmux.close()
    }
  }
  return [median(times), share]
}

const row = (name: string, [ms, share]: [number, number]): void =>
  console.log(`${name.padEnd(26)} ${ms.toFixed(0).padStart(6)} ms ${(share * 100).toFixed(1).padStart(6)} %`)

console.log(
  `${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, ${starts} starts, ${seconds} s at 1 Hz`,
)
console.log(`${''.padEnd(26)} ${'first'.padStart(9)} ${'core'.padStart(8)}`)
const top = async (tmux: Tmux): Promise<void> => {
  tmux.type('top -d 1')
  tmux.press('Enter')
}
row('top -d 1', await measure(top, {}, /PID USER/))
for (const count of [1, 50, 500]) {
  const folder = join(root, `${count}`)
  mkdirSync(folder)
  for (let at = 0; at < count; at++)
    writeFileSync(join(folder, `kvcached_vLLM_${1000 + at}`), recordBytes(8n << 30n, BigInt(at) << 20n))
  const env = {KVCTL_SHM_DIR: folder, KVCTL_STATE_DIR: join(root, 'state')}
  row(`kvtop, ${count} segments`, await measure(tmux => tmux.start('kvtop'), env, /kvcached_vLLM_1000/))
}
console.log('goal at 50 segments: first frame < 400 ms, < 2 % of a core')
