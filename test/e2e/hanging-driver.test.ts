import {once} from 'node:events'
import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {startCli} from '../support/cli.js'
import {bareDriver} from '../support/nvml/driver-facts.js'
import {standInDriver} from '../support/nvml/stand-in.js'
import {describeWith} from '../support/requires.js'
import {GIB, recordBytes} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'

/** Far longer than anybody waits after Ctrl-C. */
const HANG_MS = 600_000
const LEAVES_WITHIN_MS = 20_000

/** The status after Ctrl-C: 0 for what runs until it is told to end, 130 for what had an answer to give. */
const COMMANDS: readonly (readonly [args: readonly string[], code: number])[] = [
  [['gpus'], 130],
  [['vram'], 130],
  [['vram', '--follow', '--json'], 0],
  [['doctor'], 130],
  [['kvtop', '--json'], 0],
  [['limit-percent', 'vllm-0', '50'], 130],
  [['serve', '--port', '0', '--json'], 0],
]

describeWith(['gcc|cc'], 'a driver that hangs', () => {
  const folder = temporaryFolder()

  for (const [args, code] of COMMANDS) {
    it(`does not keep kvctl ${args.join(' ')} from ending at Ctrl-C`, async () => {
      const shm = join(folder(), 'shm')
      mkdirSync(shm)
      writeFileSync(join(shm, 'vllm-0'), recordBytes(100n * GIB))
      const driver = standInDriver(folder(), {...bareDriver(1), 'delay.nvmlInit_v2': HANG_MS})
      const child = startCli(args, {
        env: {
          ...driver.env,
          ...{KVCTL_SHM_DIR: shm, KVCTL_STATE_DIR: join(folder(), 'state')},
          KVCTL_ENGINE_URLS: 'http://127.0.0.1:1',
        },
      })
      let [stdout, stderr] = ['', '']
      child.stdout!.on('data', (text: Buffer) => (stdout += text.toString()))
      child.stderr!.on('data', (text: Buffer) => (stderr += text.toString()))
      const closed = once(child, 'close') as Promise<[number | null]>
      try {
        if (args[0] === 'serve') {
          await until(() => stdout.includes('\n'), 'the address')
          const {url} = JSON.parse(stdout) as {url: string}
          void fetch(`${url}/vram`).catch(() => undefined)
        }
        await until(() => blockedBelow(child.pid!).length > 0, `the driver's start: ${stderr}`)
        const blocked = blockedBelow(child.pid!)
        child.kill('SIGINT')
        const left = await Promise.race([closed, later(LEAVES_WITHIN_MS)])
        expect(left, `${args.join(' ')} still runs`).to.not.equal('late')
        expect((left as [number | null])[0], stderr).to.equal(code)
        await until(() => blocked.every(pid => !isAlive(pid)), 'the end of the blocked process')
      } finally {
        child.kill('SIGKILL')
      }
    })
  }
})

function later(ms: number): Promise<'late'> {
  return new Promise(resolve => setTimeout(resolve, ms, 'late').unref())
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (isSo()) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error(`${what}: not within 20 s`)
}

/** Children that have the driver's library loaded, and so sit in its call. */
function blockedBelow(parent: number): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => parentOf(pid) === parent && reads(`/proc/${pid}/maps`).includes('libnvidia-ml.so.1'))
}

function parentOf(pid: number): number {
  return Number(/\) \S (\d+)/.exec(reads(`/proc/${pid}/stat`))?.[1] ?? 0)
}

/** A zombie is over, though its parent has not looked yet. */
function isAlive(pid: number): boolean {
  const [, state] = /\) (\S)/.exec(reads(`/proc/${pid}/stat`)) ?? []
  return state !== undefined && state !== 'Z'
}

/** Nothing where the process has ended. */
function reads(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
