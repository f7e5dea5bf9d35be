import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, readdirSync, rmSync, statSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {setTimeout as delay} from 'node:timers/promises'
import {expect} from 'chai'
import {seededRandom} from '../../src/lib/foundation/index.js'
import type {PruneJson} from '../../src/lib/segments/index.js'
import {runCli, startCli} from '../support/cli.js'

const ROUNDS = 2
const LOADED = 2
const STREAMS = 16
/** A moment is anywhere in so long: after the start of the program, or after its first requests. */
const [START_MS, LOAD_MS] = [1500, 600]
const seed = Number(process.env['KVCTL_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

describe(`an engine that is killed, KVCTL_TEST_SEED=${seed},`, function () {
  this.timeout(120_000)
  const random = seededRandom(seed)
  const started = new Set<ChildProcess>()
  let folder: string
  let env: NodeJS.ProcessEnv

  before(() => {
    folder = mkdtempSync('/dev/shm/kvctl-killed-')
    env = {KVCTL_SHM_DIR: folder, KVCTL_STATE_DIR: mkdtempSync(join(tmpdir(), 'kvctl-state-'))}
  })
  after(() => {
    for (const child of started) child.kill('SIGKILL')
    rmSync(folder, {recursive: true})
    rmSync(env['KVCTL_STATE_DIR']!, {recursive: true})
  })

  const start = (name: string): ChildProcess => {
    const child = startCli(['engine', '--port', '0', '--json', '--ipc-name', name, '--speedup', '4'], {env})
    started.add(child)
    child.once('close', () => started.delete(child))
    return child
  }
  const kill = async (child: ChildProcess): Promise<void> => {
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }
  const urlOf = async (child: ChildProcess): Promise<string> => {
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    return (JSON.parse(line) as {url: string}).url
  }
  /** Streams that take pages all the time; they end with the engine. */
  const load = (url: string): void => {
    for (let stream = 0; stream < STREAMS; stream++) {
      const body = JSON.stringify({
        prompt: `stream ${stream} ${'of many words '.repeat(60)}`,
        ...{max_tokens: 2000, ignore_eos: true},
      })
      const headers = {'content-type': 'application/json'}
      fetch(`${url}/v1/completions`, {method: 'POST', headers, body}).catch(() => undefined)
    }
  }
  const killLoaded = async (name: string): Promise<void> => {
    const child = start(name)
    load(await urlOf(child))
    await delay(random.unit() * LOAD_MS)
    await kill(child)
  }
  const killStarting = async (name: string): Promise<void> => {
    const child = start(name)
    await delay(random.unit() * START_MS)
    await kill(child)
  }

  it('at any moment leaves nothing, or a segment that kvctl prune knows for dead', async () => {
    const survivor = start('survivor')
    load(await urlOf(survivor))
    for (let round = 0; round < ROUNDS; round++) {
      const names = Array.from({length: LOADED}, (_, index) => `loaded-${round}-${index}`)
      await Promise.all([...names.map(killLoaded), killStarting('starting')])
      const left = readdirSync(folder).filter(name => name !== 'survivor')
      expect(left).to.include.members(names)
      // Killed between making the file and writing it: no segment yet, and no hindrance for the next engine of that name.
      const dead = left.filter(name => statSync(join(folder, name)).size > 0).sort()
      for (const name of dead) expect(statSync(join(folder, name)).size).to.equal(24)
      const {code, stdout, stderr} = await runCli(['prune', '--json'], {env})
      expect([code, stderr]).to.deep.equal([0, ''])
      const findings = JSON.parse(stdout) as PruneJson[]
      expect(findings.filter(({deleted}) => deleted).map(({ipc}) => ipc)).to.deep.equal(dead)
      expect(findings.find(({ipc}) => ipc === 'survivor')).to.include({deleted: false, pid: survivor.pid})
    }
    await kill(survivor)
  })
})
