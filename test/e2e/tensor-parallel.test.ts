import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, readdirSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {repositoryRoot} from '../support/cli.js'

const PROGRAM = join(repositoryRoot, 'test/support/library-rank.js')
/** A page of K and one of V in each of two layers. */
const BUNDLE = 2 * 2 * 2 * 2 ** 20
const BLOCKS_PER_PAGE = 128

class Rank {
  readonly child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(env: NodeJS.ProcessEnv, ...args: string[]) {
    this.child = spawn(process.execPath, [PROGRAM, ...args], {env, stdio: ['pipe', 'pipe', 'inherit']})
    this.#lines = createInterface(this.child.stdout!)[Symbol.asyncIterator]()
  }

  async answer(): Promise<unknown> {
    const {value, done} = await this.#lines.next()
    if (done === true) throw new Error('the process ended without an answer')
    return JSON.parse(value) as unknown
  }

  async ask(order: string): Promise<unknown> {
    this.child.stdin!.write(`${order}\n`)
    return this.answer()
  }

  async end(): Promise<void> {
    const end = once(this.child, 'close')
    this.child.stdin!.end('end\n')
    await end
  }
}

describe('a pool whose pages are in two other processes', function () {
  this.timeout(60_000)
  const name = `kvctl_ranks_${process.pid}`
  let folder: string
  let env: NodeJS.ProcessEnv
  let ranks: Rank[]
  const leftovers = (): string[] => readdirSync('/tmp').filter(file => file.startsWith(`kvcached-tp-${name}`))

  beforeEach(() => {
    folder = mkdtempSync('/dev/shm/kvctl-ranks-')
    const state = mkdtempSync(join(tmpdir(), 'kvctl-state-'))
    env = {
      ...process.env,
      KVCTL_SHM_DIR: folder,
      KVCTL_STATE_DIR: state,
      KVCACHED_IPC_NAME: name,
      KVCACHED_MIN_RESERVED_PAGES: '0',
      KVCACHED_MAX_RESERVED_PAGES: '0',
      KVCACHED_IPC_TIMEOUT: '5',
    }
    ranks = []
  })
  afterEach(() => {
    for (const {child} of ranks) child.kill('SIGKILL')
    rmSync(folder, {recursive: true})
    rmSync(env['KVCTL_STATE_DIR']!, {recursive: true})
    for (const file of leftovers()) rmSync(join('/tmp', file), {recursive: true})
  })

  const start = async (): Promise<{scheduler: Rank; workers: [Rank, Rank]}> => {
    // The one that schedules waits for the others' tensors.
    const scheduler = new Rank(env, 'scheduler', '2')
    const workers: [Rank, Rank] = [new Rank(env, 'worker', '0', '2'), new Rank(env, 'worker', '1', '2')]
    ranks.push(scheduler, ...workers)
    await Promise.all(ranks.map(rank => rank.answer()))
    return {scheduler, workers}
  }
  const resident = async (workers: readonly Rank[]): Promise<unknown[]> =>
    Promise.all(workers.map(worker => worker.ask('resident')))

  it('gives a block out once its page has memory in both, and takes it from both', async () => {
    const {scheduler, workers} = await start()
    expect(await resident(workers)).to.deep.equal([BUNDLE, BUNDLE])
    const ids = (await scheduler.ask(`alloc ${2 * BLOCKS_PER_PAGE}`)) as number[]
    expect(ids.slice(0, 2)).to.deep.equal([1, 2])
    expect(await resident(workers)).to.deep.equal([3 * BUNDLE, 3 * BUNDLE])
    expect(await scheduler.ask('resident')).to.equal(0)
    await scheduler.ask(`free ${JSON.stringify(ids)}`)
    expect(await resident(workers)).to.deep.equal([BUNDLE, BUNDLE])
    await scheduler.end()
    expect(await resident(workers)).to.deep.equal([0, 0])
    for (const worker of workers) await worker.end()
    expect(leftovers()).to.deep.equal([])
    expect(readdirSync(folder)).to.deep.equal([])
  })

  it('KVCACHED_IPC_TIMEOUT: gives nothing out, in none, when one worker is gone or hangs for so long', async () => {
    const {scheduler, workers} = await start()
    workers[1].child.kill('SIGSTOP')
    expect(await scheduler.ask(`alloc ${2 * BLOCKS_PER_PAGE}`)).to.equal(null)
    expect(await workers[0].ask('resident')).to.equal(BUNDLE)
    workers[1].child.kill('SIGCONT')
    const ids = (await scheduler.ask(`alloc ${2 * BLOCKS_PER_PAGE}`)) as number[]
    expect(ids).to.have.length(2 * BLOCKS_PER_PAGE)
    expect(await resident(workers)).to.deep.equal([3 * BUNDLE, 3 * BUNDLE])
    const end = once(workers[1].child, 'close')
    workers[1].child.kill('SIGTERM')
    await end
    expect(await scheduler.ask(`alloc ${4 * BLOCKS_PER_PAGE}`)).to.equal(null)
    expect(await scheduler.ask(`free ${JSON.stringify(ids)}`)).to.equal(null)
    expect(await workers[0].ask('resident')).to.equal(BUNDLE)
    await scheduler.end()
    await workers[0].end()
    expect(leftovers()).to.deep.equal([])
  })
})
