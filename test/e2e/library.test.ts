import {execFileSync, spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface, type Interface} from 'node:readline'
import {expect} from 'chai'
import type {PruneJson} from '../../src/lib/segments/index.js'
import {repositoryRoot, runCli} from '../support/cli.js'
import {describeWith} from '../support/requires.js'
import {until} from '../support/until.js'

const MIB = 2 ** 20
const PROGRAM = join(repositoryRoot, 'test/support/library-engine.js')

interface Running {
  readonly child: ChildProcess
  readonly lines: Interface
}

describe('a program that keeps KV memory with the library', function () {
  this.timeout(60_000)
  let folder: string
  let env: NodeJS.ProcessEnv
  const started = new Set<ChildProcess>()

  beforeEach(() => {
    folder = mkdtempSync('/dev/shm/kvctl-library-')
    env = {
      ...process.env,
      KVCTL_SHM_DIR: folder,
      KVCTL_STATE_DIR: mkdtempSync(join(tmpdir(), 'kvctl-state-')),
    }
  })
  afterEach(() => {
    for (const child of started) child.kill('SIGKILL')
    started.clear()
    rmSync(folder, {recursive: true})
    rmSync(env['KVCTL_STATE_DIR']!, {recursive: true})
  })

  const start = async (name: string, end: string): Promise<Running> => {
    const child = spawn(process.execPath, [PROGRAM, end], {env: {...env, KVCACHED_IPC_NAME: name}})
    started.add(child)
    const lines = createInterface(child.stdout)
    await once(lines, 'line')
    return {child, lines}
  }
  const ended = async (child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> =>
    (await once(child, 'close')) as [number | null, NodeJS.Signals | null]

  for (const [how, status] of [
    ['exit', [0, null]],
    ['shutdown', [0, null]],
    ['throw', [1, null]],
    ['reject', [1, null]],
    ['SIGTERM', [null, 'SIGTERM']],
    ['SIGINT', [null, 'SIGINT']],
    ['SIGHUP', [null, 'SIGHUP']],
  ] as const) {
    it(`leaves no segment when it ends by ${how}, and ends as it would have without`, async () => {
      const {child} = await start('one', how.startsWith('SIG') ? 'loop' : how)
      expect(existsSync(join(folder, 'one'))).to.equal(true)
      const end = ended(child)
      if (how.startsWith('SIG')) child.kill(how as NodeJS.Signals)
      else child.stdin!.write('end\n')
      expect(await end).to.deep.equal(status)
      expect(readdirSync(folder)).to.deep.equal([])
    })
  }

  it('does what the example says', () => {
    const example = join(repositoryRoot, 'examples/elastic-kv-cache.js')
    const said = execFileSync(process.execPath, [example, 'cpu'], {env, encoding: 'utf8'})
    // 4 layers, K and V: 8 pages of 2 MiB a page id; 64 blocks of 32 KiB on each, block 0 among them.
    expect(said).to.match(/^shape \(2, \d+, 16, 8, 128\), 1023 blocks to be had\n/)
    expect(said).to.include('256 blocks: 80 MiB mapped, 80 MiB resident\nthe first key is 0x3c00\n')
    expect(readdirSync(folder)).to.deep.equal([])
  })

  it('leaves a segment that kvctl prune knows for dead when it is killed', async () => {
    const {child} = await start('killed', 'loop')
    const end = ended(child)
    child.kill('SIGKILL')
    await end
    expect(existsSync(join(folder, 'killed'))).to.equal(true)
    const {code, stdout} = await runCli(['prune', '--json'], {env})
    expect(code).to.equal(0)
    expect((JSON.parse(stdout) as PruneJson[]).map(({ipc}) => ipc)).to.deep.equal(['killed'])
    expect(existsSync(join(folder, 'killed'))).to.equal(false)
  })

  describeWith(['python3'], 'beside an independent program', () => {
    const PEER = join(repositoryRoot, 'test/support/segment.py')
    const peer = (command: string, name: string, ...rest: (string | number)[]): string =>
      execFileSync('python3', [PEER, command, join(folder, name), ...rest.map(String)], {encoding: 'utf8'})
    /** A page of 2 MiB in K and in V. */
    const bundle = 4 * MIB
    const total = 32 * MIB

    it('has a segment like every other: its file, its figures, its lock, how it is read', async () => {
      const {child} = await start('plain', 'idle')
      // Block 0 and its page are in use; the other seven pages had blocks, and are kept for the next ones.
      await until(
        () => peer('read', 'plain') === `${total} ${bundle} ${7 * bundle}\n`,
        () => peer('read', 'plain'),
      )
      const bytes = readFileSync(join(folder, 'plain'))
      expect([0, 8, 16].map(at => Number(bytes.readBigInt64LE(at)))).to.deep.equal([
        total,
        bundle,
        7 * bundle,
      ])
      expect(JSON.parse(peer('verify', 'plain', child.pid!))).to.deep.equal({
        is_regular: true,
        bytes: 24,
        is_mode_usual: true,
        is_mostly_closed: true,
        waits: ['FLOCK', 'ADVISORY', 'READ', child.pid],
        is_coherent: true,
      })
    })

    for (const preallocates of [true, false]) {
      it(`obeys a limit of its while it is idle, ${preallocates ? 'with' : 'without'} preallocation, and one that takes it back`, async () => {
        env['KVCACHED_PAGE_PREALLOC_ENABLED'] = String(preallocates)
        const {child} = await start('idle', 'idle')
        await until(
          () => memoryFileBytes(child.pid!) === total,
          () => String(memoryFileBytes(child.pid!)),
        )
        peer('limit', 'idle', 2 * bundle)
        const figures = (): string => `${peer('read', 'idle').trim()} ${memoryFileBytes(child.pid!)}`
        // A reserve that was taken is not filled again beyond the limit.
        const shrunk = preallocates ? [bundle, 2 * bundle] : [0, bundle]
        await until(() => figures() === `${2 * bundle} ${bundle} ${shrunk.join(' ')}`, figures)
        peer('limit', 'idle', total)
        const grown = preallocates ? [5 * bundle, 6 * bundle] : shrunk
        await until(() => figures() === `${total} ${bundle} ${grown.join(' ')}`, figures)
      })
    }
  })

  it('never takes more than its share of a budget that it has with another, while the shares change', async () => {
    const budget = 16 * MIB
    const both = [await start('left', 'loop'), await start('right', 'loop')]
    const limit = async (name: string, bytes: number): Promise<void> => {
      const {code, stderr} = await runCli(['limit', name, String(bytes), '--wait', '--timeout', '20'], {env})
      expect(code, stderr).to.equal(0)
    }
    await limit('left', budget / 4)
    await limit('right', (budget / 4) * 3)
    const most = {published: 0, resident: 0}
    let isLooking = true
    const look = async (): Promise<void> => {
      while (isLooking) {
        const published = ['left', 'right'].reduce((sum, name) => {
          const bytes = readFileSync(join(folder, name))
          return sum + Number(bytes.readBigInt64LE(8) + bytes.readBigInt64LE(16))
        }, 0)
        const resident = both.reduce((sum, {child}) => sum + memoryFileBytes(child.pid!), 0)
        most.published = Math.max(most.published, published)
        most.resident = Math.max(most.resident, resident)
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    }
    const looking = look()
    for (let round = 0; round < 2; round++) {
      // Who gets less goes first, and has obeyed before the other may take more.
      await limit('right', budget / 4)
      await limit('left', (budget / 4) * 3)
      await limit('left', budget / 4)
      await limit('right', (budget / 4) * 3)
    }
    isLooking = false
    await looking
    expect(most.published).to.be.within(budget / 2, budget)
    expect(most.resident).to.be.within(budget / 2, budget)
  })
})

/** What the kernel holds for the KV pages of a process. */
function memoryFileBytes(pid: number): number {
  const path = `/proc/${pid}/fd`
  const file = readdirSync(path).find(fd => {
    try {
      return readlinkSync(join(path, fd)).startsWith('/memfd:')
    } catch {
      return false
    }
  })
  return file === undefined ? 0 : statSync(join(path, file)).blocks * 512
}
