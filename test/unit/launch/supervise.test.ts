import {expect} from 'chai'
import {ResourceError, VirtualClock} from '../../../src/lib/foundation/index.js'
import {
  DEFAULT_RESTARTS,
  launchAll,
  type LaunchCommand,
  type LaunchEvent,
} from '../../../src/lib/launch/index.js'
import type {LaunchParts, LaunchRules} from '../../../src/lib/launch/index.js'
import type {ProgramExit, RunningProgram} from '../../../src/lib/processes/index.js'

const RULES: LaunchRules & {endsAtFailure: boolean} = {
  ...DEFAULT_RESTARTS,
  ...{healthMs: 60_000, segmentMs: 5000, stopMs: 1000, endsAtFailure: false},
}

const command = (name: string, override: Partial<LaunchCommand> = {}): LaunchCommand => ({
  ...{name, engine: 'vllm', model: name, file: 'python3', args: [], env: {}},
  ...{url: `http://localhost:${8000 + name.charCodeAt(0)}`, expectsSegment: true, segment: null},
  ...override,
})

/** A program that ends when it is told to. */
interface Played extends RunningProgram {
  end(exit: ProgramExit): void
}

/** A world in which programs are played, on a clock that moves when somebody waits. */
function world(override: Partial<LaunchParts> = {}) {
  const clock = new VirtualClock()
  const told: string[] = []
  const programs: Played[] = []
  const stopped: string[] = []
  const parts: LaunchParts = {
    start: ({name}) => {
      let end: (exit: ProgramExit) => void = () => {}
      const ended = new Promise<ProgramExit>(resolve => (end = resolve))
      let isOver = false
      const program: Played = {
        pid: programs.length + 1,
        ended,
        end(exit) {
          isOver = true
          end(exit)
        },
        firstLine: async () => '',
        async stop() {
          if (isOver) return
          stopped.push(name)
          program.end({code: 0, signal: null})
        },
      }
      programs.push(program)
      return program
    },
    isHealthy: async () => true,
    clearSegment: async () => {},
    findSegment: async (_, pid) => `seg_${pid}`,
    whoListens: async () => [],
    clock,
    ...override,
  }
  const tell = ({name}: LaunchCommand, event: LaunchEvent): void => {
    const more = event.is === 'waiting' ? event.pauseMs : event.is === 'failed' ? event.error.code : ''
    told.push(`${Math.round(clock.nowNs() / 1e6)} ${name} ${event.is} ${more}`.trim())
  }
  const turn = async (): Promise<void> => new Promise(resolve => setImmediate(resolve))
  return {clock, told, programs, stopped, parts, tell, turn}
}

const plan = (commands: readonly LaunchCommand[], delayMs = 0) => ({
  ...{commands, delayMs, skipped: [], warnings: []},
})

describe('launching', () => {
  it('starts one after another with the pause between, and ends the router before the engines', async () => {
    const {parts, tell, told, stopped, clock, turn} = world()
    const end = new AbortController()
    const router = command('r', {engine: 'router', expectsSegment: false})
    const over = launchAll(plan([command('a'), command('b'), router], 3000), RULES, parts, tell, end.signal)
    await turn()
    await turn()
    const names = (what: string): (string | undefined)[] =>
      told.filter(line => line.includes(what)).map(line => line.split(' ')[1])
    expect(names('started')).to.deep.equal(['a', 'b', 'r'])
    expect(names('ready')).to.have.members(['a', 'b', 'r'])
    expect(clock.nowNs()).to.equal(2 * 3000e6)
    end.abort()
    expect(await over).to.deep.equal([])
    expect(stopped).to.deep.equal(['r', 'a', 'b'])
  })

  it('starts again what ended, after 1, 2, 4 … seconds, and gives up after so many times in a row', async () => {
    const {parts, programs, tell, told, turn} = world()
    const over = launchAll(
      plan([command('a')]),
      {...RULES, restarts: 3},
      parts,
      tell,
      new AbortController().signal,
    )
    for (let round = 0; round < 4; round++) {
      await turn()
      programs.at(-1)!.end({code: 1, signal: null})
    }
    expect(await over).to.deep.equal(['a'])
    expect(told.filter(line => /waiting|failed/.test(line))).to.deep.equal([
      ...['0 a waiting 1000', '1000 a waiting 2000', '3000 a waiting 4000', '7000 a failed ENGINE_ENDED'],
    ])
  })

  it('begins the row anew with a program that ran soundly for a while', async () => {
    const {parts, programs, tell, told, clock, turn} = world()
    const end = new AbortController()
    const over = launchAll(plan([command('a')]), {...RULES, restarts: 1}, parts, tell, end.signal)
    for (let round = 0; round < 3; round++) {
      await turn()
      clock.advanceTo(clock.nowNs() + 60_000e6)
      programs.at(-1)!.end({code: null, signal: 'SIGKILL'})
    }
    await turn()
    end.abort()
    expect(await over).to.deep.equal([])
    expect(told.filter(line => line.includes('waiting')).map(line => line.split(' ').at(-1))).to.deep.equal([
      ...['1000', '1000', '1000'],
    ])
  })

  it('stops an engine that answers and shows no segment in its time, and lets the others go on', async () => {
    const {parts, tell, told, stopped, turn} = world({
      findSegment: async ({name}) => (name === 'a' ? null : 'seg'),
    })
    const end = new AbortController()
    const over = launchAll(plan([command('a'), command('b')]), RULES, parts, tell, end.signal)
    while (!told.some(line => line.includes('failed'))) await turn()
    expect(told.filter(line => line.includes('failed'))).to.deep.equal(['5000 a failed SEGMENT_MISSING'])
    expect(stopped).to.deep.equal(['a'])
    end.abort()
    expect(await over).to.deep.equal(['a'])
    expect(stopped).to.deep.equal(['a', 'b'])
  })

  it('stops one that never answers, and all with it where one failure is to end them', async () => {
    const {parts, tell, told, stopped} = world({isHealthy: async url => !url.endsWith('8097')})
    const rules = {...RULES, endsAtFailure: true}
    const never = new AbortController().signal
    expect(await launchAll(plan([command('a'), command('b')]), rules, parts, tell, never)).to.deep.equal([
      'a',
    ])
    expect(told).to.include('60000 a failed ENGINE_NOT_HEALTHY')
    expect(stopped).to.deep.equal(['a', 'b'])
  })

  it('ends the router when no engine is left', async () => {
    const {parts, tell, stopped} = world({findSegment: async () => null})
    const router = command('r', {engine: 'router', expectsSegment: false})
    const never = new AbortController().signal
    expect(await launchAll(plan([command('a'), router]), RULES, parts, tell, never)).to.deep.equal(['a'])
    expect(stopped).to.deep.equal(['a', 'r'])
  })

  it('starts nothing where a port is taken, and nothing of a name that a running engine has', async () => {
    const taken = world({whoListens: async () => [{port: 8098, pid: 77}]})
    const both = plan([command('a'), command('b')])
    const never = new AbortController().signal
    const failure = await launchAll(both, RULES, taken.parts, taken.tell, never).catch(
      (error: unknown) => error,
    )
    expect(failure).to.include({
      code: 'PORT_IN_USE',
      message: "'b' cannot have port 8098: pid 77 listens there",
    })
    expect(taken.programs).to.deep.equal([])
    const live = world({
      clearSegment: async () => {
        throw new ResourceError('SEGMENT_LIVE', 'taken')
      },
    })
    expect(await launchAll(both, RULES, live.parts, live.tell, never)).to.deep.equal(['a', 'b'])
    expect(live.programs).to.deep.equal([])
  })
})
