import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, mkdtempSync, readdirSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import type {PruneJson, SegmentJson} from '../../src/lib/segments/index.js'
import {repositoryRoot, runCli, startCli} from '../support/cli.js'
import {describeWith} from '../support/requires.js'

/** A running engine, ours or an independent one. */
interface Peer {
  readonly segment: string
  readonly child: ChildProcess
}

const PEER = join(repositoryRoot, 'test/support/segment.py')
const EACH = 20

describeWith(['python3'], 'kvctl prune beside real engines', () => {
  const folder = `/dev/shm/kvctl-prune-${process.pid}`
  const started = new Set<ChildProcess>()
  let env: NodeJS.ProcessEnv
  let count = 0

  before(() => {
    mkdirSync(folder)
    env = {KVCTL_SHM_DIR: folder, KVCTL_STATE_DIR: mkdtempSync(join(tmpdir(), 'kvctl-state-'))}
  })
  after(async () => {
    for (const child of started) child.kill('SIGKILL')
    rmSync(folder, {recursive: true})
    rmSync(env['KVCTL_STATE_DIR']!, {recursive: true})
  })

  const firstLine = async (child: ChildProcess): Promise<string> => {
    started.add(child)
    child.once('close', () => started.delete(child))
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    return line
  }

  /** `kvctl engine`, named by flag or by environment. */
  const startOurs = async (): Promise<Peer> => {
    const name = `ours-${++count}`
    const args = ['engine', '--port', '0', '--json', '--num-gpu-blocks-override', '512']
    const child =
      count % 2 === 0
        ? startCli([...args, '--ipc-name', name], {env})
        : startCli(args, {env: {...env, KVCACHED_IPC_NAME: name}})
    const {segment} = JSON.parse(await firstLine(child)) as {segment: string}
    expect(segment).to.equal(name)
    return {segment, child}
  }

  /** An engine of another make: in turn under its group's name, under a name of its own, and one that never reads. */
  const startTheirs = async (): Promise<Peer> => {
    const kind = ++count % 3
    const named = kind === 0 ? {} : {KVCACHED_IPC_NAME: `theirs/${count}`}
    const child = spawn('python3', [PEER, 'engine', folder, kind === 2 ? 'quiet' : 'polls'], {
      env: {...process.env, ...named},
      detached: true, // an own process group, as an engine that was started from a shell has
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    return {segment: await firstLine(child), child}
  }

  const startBoth = async (): Promise<{ours: Peer[]; theirs: Peer[]}> => {
    const [ours, theirs] = await Promise.all(
      [startOurs, startTheirs].map(async start => Promise.all(Array.from({length: EACH}, start))),
    )
    return {ours: ours!, theirs: theirs!}
  }

  const end = async (peers: readonly Peer[], stop: (child: ChildProcess) => unknown): Promise<unknown[]> =>
    Promise.all(
      peers.map(async ({child}) => {
        const closed = once(child, 'close')
        stop(child)
        return (await closed)[0] as unknown
      }),
    )

  const names = (...peers: (readonly Peer[])[]): string[] =>
    peers
      .flat()
      .map(({segment}) => segment)
      .sort()

  /** Prunes once, and checks that exactly the dead were removed and every living engine was recognised. */
  const expectPruned = async (dead: string[], living: readonly Peer[]): Promise<void> => {
    const {code, stdout, stderr} = await runCli(['prune', '--json'], {env})
    expect([code, stderr]).to.deep.equal([0, ''])
    const findings = JSON.parse(stdout) as PruneJson[]
    expect(findings.filter(({deleted}) => deleted).map(({ipc}) => ipc)).to.deep.equal(dead)
    expect(readdirSync(folder).sort()).to.deep.equal(names(living))
    for (const {segment, child} of living) {
      const {state, pid} = findings.find(({ipc}) => ipc === segment)!
      expect([state === 'live' || state === 'idle', pid], segment).to.deep.equal([true, child.pid])
    }
  }

  const states = async (): Promise<Record<string, string>> => {
    const {stdout} = await runCli(['list', '--json'], {env})
    const segments = JSON.parse(stdout) as SegmentJson[]
    return Object.fromEntries(segments.map(({ipc, state, pid}) => [ipc, `${state} ${String(pid)}`]))
  }

  it(`judges ${EACH} of ours and ${EACH} of another make right: living, killed, terminated and cleanly ended`, async () => {
    const first = await startBoth()
    await expectPruned([], [...first.ours, ...first.theirs])
    const seen = await states()
    for (const {segment, child} of first.ours) expect(seen[segment]).to.equal(`live ${String(child.pid)}`)
    for (const {segment, child} of first.theirs) expect(seen[segment]).to.equal(`idle ${String(child.pid)}`)

    await end([...first.ours, ...first.theirs], child => child.kill('SIGKILL'))
    const killed = names(first.ours, first.theirs)
    expect(readdirSync(folder).sort()).to.deep.equal(killed)
    const dead = await states()
    for (const {segment} of first.ours) expect(dead[segment]).to.equal('stale null')
    const second = await startBoth()
    await expectPruned(killed, [...second.ours, ...second.theirs])

    expect(await end(second.ours, child => child.kill('SIGTERM'))).to.deep.equal(second.ours.map(() => 0))
    await end(second.theirs, child => child.kill('SIGTERM'))
    const terminated = names(second.theirs)
    expect(readdirSync(folder).sort(), 'ours removes its own').to.deep.equal(terminated)
    const third = await startBoth()
    await expectPruned(terminated, [...third.ours, ...third.theirs])

    const everyone = [...third.ours, ...third.theirs]
    expect(await end(everyone, child => child.stdin!.end())).to.deep.equal(everyone.map(() => 0))
    expect(readdirSync(folder)).to.deep.equal([])
    await expectPruned([], [])
  }).timeout(180_000)
})
