import {expect} from 'chai'
import {
  RouterCore,
  type Effect,
  type Input,
  type ModelPlan,
  type SleepRules,
} from '../../../src/lib/router/core/index.js'

const RULES: SleepRules = {
  idleThresholdMs: 300_000,
  checkIntervalMs: 60_000,
  sleepsIdle: false,
  wakesOnRequest: true,
  minSleepMs: 0,
  minAwakeMs: 0,
  maxWaiting: 4,
}
const LONG_MS = 1e9

function shown(effect: Effect): string {
  switch (effect.do) {
    case 'forward':
      return `forward ${effect.model} ${effect.request} after ${effect.waitedMs}`
    case 'refuse':
      return `refuse ${effect.model} ${effect.request}: ${effect.why}`
    case 'sleep':
      return `sleep ${effect.model}: ${effect.because}`
    case 'wake':
      return `wake ${effect.model}`
    case 'settle':
      return `settle ${effect.model} ${effect.command}: ${effect.why ?? 'done'}`
  }
}

/** A core on a clock that the test moves; every call gives what is to be done, as text. */
function rig(
  models: readonly (string | Partial<ModelPlan>)[],
  rules: Partial<SleepRules> = {},
  maxAwake = 0,
) {
  const plans = models.map((one): ModelPlan => ({
    ...{name: 'a', group: maxAwake > 0 ? 'gpu0' : null, staysAwake: false, canSleep: true},
    ...(typeof one === 'string' ? {name: one} : one),
  }))
  const groups = new Map(maxAwake > 0 ? [['gpu0', maxAwake]] : [])
  const plan = {models: plans, groups, rules: {...RULES, ...rules}}
  const core = new RouterCore(plan, 0)
  let nowMs = 0
  const feed = (input: Input): string[] => core.feed(input, nowMs).map(shown)
  return {
    core,
    plan,
    at(ms: number) {
      nowMs = ms
    },
    feed,
    time: () => feed({is: 'time'}),
    arrive: (model: string, request: number, deadlineMs = LONG_MS) =>
      feed({is: 'arrived', model, request, deadlineMs}),
    end: (model: string, request: number) => feed({is: 'left', model, request, outcome: 'succeeded'}),
    cancel: (model: string, request: number) => feed({is: 'left', model, request, outcome: 'cancelled'}),
    slept: (model: string, isDone = true) => feed({is: 'slept', model, isDone}),
    woke: (model: string, isDone = true) => feed({is: 'woke', model, isDone}),
    found: (sleeping: Record<string, boolean>, askedMs = nowMs) =>
      feed({is: 'found', sleeping: new Map(Object.entries(sleeping)), askedMs}),
    order: (order: 'sleep' | 'wake', model: string, command: number, deadlineMs = LONG_MS) =>
      feed({is: 'ordered', order, model, command, deadlineMs}),
    look: (model: string) => core.look(model, 60_000, nowMs)!,
    configure: (changed: Partial<typeof plan>) => core.configure({...plan, ...changed}, nowMs).map(shown),
  }
}

type Rig = ReturnType<typeof rig>

/** Asks a model to sleep and lets it. */
function putToSleep(router: Rig, model: string): void {
  expect(router.order('sleep', model, 99)).to.deep.equal([`sleep ${model}: ordered`])
  expect(router.slept(model)).to.include(`settle ${model} 99: done`)
}

describe('the core of the router', () => {
  describe('with models awake', () => {
    it('forwards at once, and knows only configured models', () => {
      const router = rig(['a'])
      expect(router.arrive('a', 1)).to.deep.equal(['forward a 1 after 0'])
      expect(router.arrive('x', 2)).to.deep.equal([])
      expect([router.core.has('a'), router.core.has('x')]).to.deep.equal([true, false])
      expect(router.core.looks(60_000, 0).map(({name}) => name)).to.deep.equal(['a'])
    })

    it('counts a request as activity at its start and at its end, and never as idle between', () => {
      const router = rig(['a'])
      router.at(1000)
      router.arrive('a', 1)
      router.at(9000)
      expect([router.look('a').inFlight, router.look('a').idleMs]).to.deep.equal([1, 0])
      router.end('a', 1)
      router.at(12_000)
      const {idleMs, lastActivityMs, succeeded, meanResponseMs} = router.look('a')
      expect([idleMs, lastActivityMs, succeeded, meanResponseMs]).to.deep.equal([3000, 9000, 1, 8000])
    })

    it('counts an end once, and one that it never saw begin not at all', () => {
      const router = rig(['a'])
      router.arrive('a', 1)
      router.end('a', 1)
      router.end('a', 1)
      router.end('a', 7)
      expect(router.look('a').succeeded).to.equal(1)
    })
  })

  describe('sleep of idle models', () => {
    it('happens at a check, to those idle for longer than the threshold', () => {
      const router = rig(['a', 'b'], {sleepsIdle: true, idleThresholdMs: 100_000})
      router.time()
      router.at(50_000)
      router.arrive('b', 1)
      router.end('b', 1)
      expect(router.core.nextDeadlineMs).to.equal(60_000)
      router.at(60_000)
      expect(router.time()).to.deep.equal([])
      router.at(120_000)
      expect(router.time()).to.deep.equal(['sleep a: idle'])
      expect(router.look('b').idleMs).to.equal(70_000)
    })

    it('is strictly above the threshold, as upstream has it', () => {
      const router = rig(['a'], {sleepsIdle: true, idleThresholdMs: 60_000})
      router.at(60_000)
      expect(router.time()).to.deep.equal([])
      router.at(120_000)
      expect(router.time()).to.deep.equal(['sleep a: idle'])
    })

    it('spares who has a request in flight, who stays awake, who cannot sleep, and who was just woken', () => {
      const models = ['busy', {name: 'kept', staysAwake: true}, {name: 'other', canSleep: false}, 'woken']
      const router = rig(models, {sleepsIdle: true, idleThresholdMs: 50_000})
      router.arrive('busy', 1)
      putToSleep(router, 'woken')
      router.at(59_000)
      router.order('wake', 'woken', 2)
      router.woke('woken')
      router.at(60_000)
      expect(router.time()).to.deep.equal([])
    })

    it('does not happen unless it is switched on', () => {
      const router = rig(['a'])
      router.at(1e7)
      expect(router.time()).to.deep.equal([])
    })

    it('leaves an engine that refused alone for half a minute, then twice as long', () => {
      const router = rig(['a'], {sleepsIdle: true, idleThresholdMs: 1000, checkIntervalMs: 10_000})
      const tries: number[] = []
      for (let ms = 10_000; ms <= 140_000; ms += 10_000) {
        router.at(ms)
        if (router.time().includes('sleep a: idle')) {
          tries.push(ms)
          router.slept('a', false)
        }
      }
      expect(tries).to.deep.equal([10_000, 40_000, 100_000])
      expect(router.look('a').phase).to.equal('awake')
    })
  })

  describe('a request to a sleeping model', () => {
    it('waits, wakes it once whatever the burst, and goes first come, first served', () => {
      const router = rig(['a'])
      putToSleep(router, 'a')
      router.at(1000)
      expect(router.arrive('a', 1)).to.deep.equal(['wake a'])
      router.at(1100)
      expect(router.arrive('a', 2)).to.deep.equal([])
      expect(router.arrive('a', 3)).to.deep.equal([])
      expect([router.look('a').phase, router.look('a').waiting]).to.deep.equal(['waking', 3])
      router.at(3000)
      expect(router.woke('a')).to.deep.equal([
        'forward a 1 after 2000',
        'forward a 2 after 1900',
        'forward a 3 after 1900',
      ])
      expect(router.look('a').lastActivityMs).to.equal(3000)
    })

    it('that comes while it falls asleep waits for the call to end, then wakes it', () => {
      const router = rig(['a'])
      router.order('sleep', 'a', 9)
      expect(router.arrive('a', 1)).to.deep.equal([])
      expect(router.slept('a')).to.deep.equal(['settle a 9: done', 'wake a'])
    })

    it('waits for the minimum sleep instead of being refused', () => {
      const router = rig(['a'], {minSleepMs: 80_000})
      putToSleep(router, 'a')
      router.at(10_000)
      expect(router.arrive('a', 1)).to.deep.equal([])
      // The check at 60 s changes nothing.
      router.at(60_000)
      expect(router.time()).to.deep.equal([])
      expect(router.core.nextDeadlineMs).to.equal(80_000)
      router.at(80_000)
      expect(router.time()).to.deep.equal(['wake a'])
    })

    it('is refused when its own deadline comes first', () => {
      const router = rig(['a'], {minSleepMs: 80_000})
      putToSleep(router, 'a')
      router.arrive('a', 1, 5000)
      router.arrive('a', 2, 6000)
      expect(router.core.nextDeadlineMs).to.equal(5000)
      router.at(5000)
      expect(router.time()).to.deep.equal(['refuse a 1: deadline'])
      expect([router.look('a').waiting, router.look('a').failed]).to.deep.equal([1, 1])
    })

    it('is refused when as many wait as may', () => {
      const router = rig(['a'], {maxWaiting: 2})
      putToSleep(router, 'a')
      router.arrive('a', 1)
      router.arrive('a', 2)
      expect(router.arrive('a', 3)).to.deep.equal(['refuse a 3: full'])
    })

    it('is refused at once where requests wake nobody', () => {
      const router = rig(['a'], {wakesOnRequest: false})
      putToSleep(router, 'a')
      expect(router.arrive('a', 1)).to.deep.equal(['refuse a 1: asleep'])
    })

    it('gives up its place when the client leaves', () => {
      const router = rig(['a'], {minSleepMs: 1000})
      putToSleep(router, 'a')
      router.arrive('a', 1)
      router.cancel('a', 1)
      router.at(1000)
      expect(router.time()).to.deep.equal([])
    })

    it('sees an engine that will not wake tried again after 1 and 2 s, then is told', () => {
      const router = rig(['a'])
      putToSleep(router, 'a')
      router.arrive('a', 1)
      expect(router.woke('a', false)).to.deep.equal([])
      expect(router.core.nextDeadlineMs).to.equal(1000)
      router.at(1000)
      expect(router.time()).to.deep.equal(['wake a'])
      router.woke('a', false)
      router.at(2999)
      expect(router.time()).to.deep.equal([])
      router.at(3000)
      expect(router.time()).to.deep.equal(['wake a'])
      expect(router.woke('a', false)).to.deep.equal(['refuse a 1: wake-failed'])
    })
  })

  describe('orders', () => {
    it('to sleep are refused with the reason: in flight, asleep, on its way, cannot', () => {
      const router = rig(['a', {name: 'b', canSleep: false}])
      router.arrive('a', 1)
      expect(router.order('sleep', 'a', 1)).to.deep.equal(['settle a 1: requests in flight'])
      router.end('a', 1)
      expect(router.order('sleep', 'a', 2)).to.deep.equal(['sleep a: ordered'])
      expect(router.order('sleep', 'a', 3)).to.deep.equal(['settle a 3: going to sleep already'])
      router.slept('a')
      expect(router.look('a').isManual).to.equal(true)
      expect(router.order('sleep', 'a', 4)).to.deep.equal(['settle a 4: asleep already'])
      expect(router.order('sleep', 'b', 5)).to.deep.equal(['settle b 5: its engine cannot sleep'])
    })

    it('to sleep that the engine refuses leave the model awake', () => {
      const router = rig(['a'])
      router.order('sleep', 'a', 1)
      expect(router.slept('a', false)).to.deep.equal(['settle a 1: its engine refused'])
      expect(router.arrive('a', 2)).to.deep.equal(['forward a 2 after 0'])
    })

    it('to wake wait for the minimum sleep, share one call, and count as activity', () => {
      const router = rig(['a'], {minSleepMs: 5000})
      expect(router.order('wake', 'a', 1)).to.deep.equal(['settle a 1: awake already'])
      putToSleep(router, 'a')
      router.at(1000)
      expect(router.order('wake', 'a', 2)).to.deep.equal([])
      router.at(5000)
      expect(router.time()).to.deep.equal(['wake a'])
      expect(router.order('wake', 'a', 3)).to.deep.equal([])
      router.at(6000)
      expect(router.woke('a')).to.deep.equal(['settle a 2: done', 'settle a 3: done'])
      expect([router.look('a').lastActivityMs, router.look('a').isManual]).to.deep.equal([6000, false])
    })

    it('to wake end in time, and with the refusal of the engine', () => {
      const router = rig(['a'], {minSleepMs: 5000})
      putToSleep(router, 'a')
      router.order('wake', 'a', 1, 2000)
      router.at(2000)
      expect(router.time()).to.deep.equal(['settle a 1: not in time'])
      router.at(5000)
      router.order('wake', 'a', 2)
      expect(router.woke('a', false)).to.deep.equal(['settle a 2: its engine refused'])
    })
  })

  describe('what engines say when asked', () => {
    it('counts: a model found asleep is woken by the next request, one found awake takes those who wait', () => {
      const router = rig(['a'], {minSleepMs: 80_000})
      router.found({a: true})
      expect(router.look('a').phase).to.equal('asleep')
      // Since when it sleeps nobody knows, so the minimum does not hold.
      expect(router.arrive('a', 1)).to.deep.equal(['wake a'])
      router.woke('a', false)
      expect(router.found({a: false})).to.deep.equal(['forward a 1 after 0'])
    })

    it('does not count when it is older than what the router did meanwhile, or comes during a call', () => {
      const router = rig(['a'])
      router.at(10)
      router.order('sleep', 'a', 1)
      router.found({a: false})
      expect(router.look('a').phase).to.equal('falling')
      router.at(20)
      router.slept('a')
      router.found({a: false}, 15)
      expect(router.look('a').phase).to.equal('asleep')
      router.at(30)
      router.found({a: false}, 25)
      expect(router.look('a').phase).to.equal('awake')
    })
  })

  describe('a group of three of which two fit', () => {
    const three = (rules: Partial<SleepRules> = {}): Rig => rig(['a', 'b', 'c'], rules, 2)
    /** a and b awake, c asleep; a used at 10, b at 20. */
    const settled = (rules: Partial<SleepRules> = {}): Rig => {
      const router = three(rules)
      router.found({c: true})
      router.time()
      for (const [ms, model] of [
        [10, 'a'],
        [20, 'b'],
      ] as const) {
        router.at(ms)
        router.arrive(model, ms)
        router.end(model, ms)
      }
      return router
    }

    it('that start awake lets the one that was never used sleep', () => {
      const router = three()
      router.arrive('a', 1)
      router.end('a', 1)
      router.at(1)
      router.arrive('b', 2)
      router.at(2)
      // c was configured at 0, a used at 0: of equals the first one.
      expect(router.time()).to.deep.equal(['sleep a: budget'])
    })

    it('lets the least recently used one sleep before the third wakes', () => {
      const router = settled()
      router.at(30)
      expect(router.arrive('c', 1)).to.deep.equal(['sleep a: budget'])
      expect(router.arrive('c', 2)).to.deep.equal([])
      router.at(40)
      expect(router.slept('a')).to.deep.equal(['wake c'])
      router.at(50)
      expect(router.woke('c')).to.deep.equal(['forward c 1 after 20', 'forward c 2 after 20'])
    })

    it('takes the one without requests in flight, however recently used', () => {
      const router = settled()
      router.arrive('a', 1)
      router.at(30)
      expect(router.arrive('c', 2)).to.deep.equal(['sleep b: budget'])
    })

    it('drains a busy one when all are busy: running requests end, new ones wait, nobody starves', () => {
      const router = settled()
      router.arrive('a', 1)
      router.at(25)
      router.arrive('b', 2)
      router.at(30)
      expect(router.arrive('c', 3)).to.deep.equal([])
      expect(router.arrive('a', 4)).to.deep.equal([])
      expect(router.arrive('b', 5)).to.deep.equal(['forward b 5 after 0'])
      router.at(90)
      expect(router.end('a', 1)).to.deep.equal(['sleep a: budget'])
      expect(router.slept('a')).to.deep.equal(['wake c'])
      router.at(95)
      // b has been awake for longest and makes room for a in turn.
      expect(router.woke('c')).to.deep.equal(['forward c 3 after 65'])
      expect(router.end('b', 2)).to.deep.equal([])
      expect(router.end('b', 5)).to.deep.equal(['sleep b: budget'])
      expect(router.slept('b')).to.deep.equal(['wake a'])
    })

    it('takes a drained one back when nobody wants its room any more', () => {
      const router = settled()
      router.arrive('a', 1)
      router.arrive('b', 2)
      router.at(30)
      router.arrive('c', 3)
      router.arrive('a', 4)
      router.at(40)
      expect(router.cancel('c', 3)).to.deep.equal(['forward a 4 after 10'])
    })

    it('gives each turn its minimum: two models that are both wanted do not thrash', () => {
      const router = settled({minAwakeMs: 1000})
      router.at(1100)
      router.arrive('c', 1)
      router.slept('a')
      router.at(1200)
      router.woke('c')
      router.end('c', 1)
      // b awake since 0 may leave for a, c awake since 1200 may not.
      router.at(1300)
      expect(router.arrive('a', 2)).to.deep.equal(['sleep b: budget'])
      router.slept('b')
      router.at(1400)
      router.woke('a')
      router.end('a', 2)
      router.at(1500)
      expect(router.arrive('b', 3)).to.deep.equal([])
      expect(router.core.nextDeadlineMs).to.equal(2200)
      router.at(2200)
      expect(router.time()).to.deep.equal(['sleep c: budget'])
    })

    it('serves who waited longest first', () => {
      const router = rig(['a', 'b', 'c'], {minAwakeMs: 1000}, 1)
      router.found({b: true, c: true})
      router.time()
      router.at(10)
      router.arrive('c', 1)
      router.at(20)
      router.arrive('b', 2)
      router.at(1000)
      expect(router.time()).to.deep.equal(['sleep a: budget'])
      expect(router.slept('a')).to.deep.equal(['wake c'])
      router.at(1100)
      router.woke('c')
      router.end('c', 1)
      router.at(2100)
      expect(router.time()).to.deep.equal(['sleep c: budget'])
      expect(router.slept('c')).to.deep.equal(['wake b'])
    })

    it('never lets one that stays awake make room; the others wait for their deadline', () => {
      const kept = ['a', 'b'].map(name => ({name, staysAwake: true}))
      const router = rig([...kept, 'c'], {}, 2)
      router.found({c: true})
      router.time()
      expect(router.arrive('c', 1, 5000)).to.deep.equal([])
      router.at(5000)
      expect(router.time()).to.deep.equal(['refuse c 1: deadline'])
    })

    it('admits who waits when the chosen one will not sleep, and chooses another', () => {
      const router = settled()
      router.at(30)
      router.arrive('c', 1)
      expect(router.arrive('a', 2)).to.deep.equal([])
      router.at(40)
      expect(router.slept('a', false)).to.deep.equal(['forward a 2 after 10', 'sleep b: budget'])
    })

    it('holds never more than two, never sleeps a busy one and answers everybody: 8,000 random events', () => {
      const router = rig(['a', 'b', 'c'], {minAwakeMs: 500, minSleepMs: 100, maxWaiting: 1000}, 2)
      router.found({c: true})
      let state = 42
      const random = (below: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
        return (state >>> 8) % below
      }
      const names = ['a', 'b', 'c']
      const waiting = new Map<string, {model: string; deadlineMs: number}>()
      const running = new Map<number, string>()
      const calls = new Map<string, {is: 'slept' | 'woke'; atMs: number}>()
      const awake = new Set(['a', 'b'])
      let [ms, request, answered, wakes] = [0, 0, 0, 0]
      const apply = (effects: string[]): void => {
        for (const effect of effects) {
          const [what, model = '', id = ''] = effect.replace(':', '').split(' ')
          if (what === 'forward') {
            expect(awake.has(model), effect).to.equal(true)
            waiting.delete(id)
            running.set(Number(id), model)
          } else if (what === 'refuse') {
            waiting.delete(id)
            answered++
          } else if (what === 'sleep') {
            expect([...running.values()], effect).to.not.include(model)
            awake.delete(model)
            calls.set(model, {is: 'slept', atMs: ms + random(50)})
          } else if (what === 'wake') {
            wakes++
            expect(calls.has(model), effect).to.equal(false)
            calls.set(model, {is: 'woke', atMs: ms + 50 + random(200)})
          }
        }
        const held = names.filter(name => awake.has(name) || calls.has(name)).length
        expect(held, `at ${ms}`).to.be.at.most(2)
      }
      for (let event = 0; event < 8000; event++) {
        ms += random(20)
        router.at(ms)
        for (const [model, {is, atMs}] of calls) {
          if (atMs > ms) continue
          calls.delete(model)
          if (is === 'woke') awake.add(model)
          apply(router.feed({is, model, isDone: true}))
        }
        if (router.core.nextDeadlineMs <= ms) apply(router.time())
        if (random(2) === 0) {
          const model = names[random(3)]!
          waiting.set(String(++request), {model, deadlineMs: ms + 10_000})
          apply(router.arrive(model, request, ms + 10_000))
        }
        const [first] = running
        if (first && random(3) > 0) {
          running.delete(first[0])
          answered++
          apply(router.end(first[1], first[0]))
        }
        for (const [id, {deadlineMs}] of waiting) expect(deadlineMs, `request ${id}`).to.be.above(ms - 20)
      }
      expect(answered).to.equal(request - running.size - waiting.size)
      expect(wakes).to.be.within(10, 500)
      for (const {failed, name} of router.core.looks(1000, ms)) expect(failed, name).to.equal(0)
    })
  })

  describe('a new configuration', () => {
    it('keeps the state of models that stay, refuses those who wait for one that goes, and adds the rest awake', () => {
      const router = rig(['a', 'b'], {minSleepMs: 1000})
      putToSleep(router, 'a')
      putToSleep(router, 'b')
      router.arrive('b', 1)
      router.order('wake', 'b', 7)
      const [a] = router.plan.models
      expect(router.configure({models: [a!, {...a!, name: 'c'}]})).to.deep.equal([
        'refuse b 1: removed',
        'settle b 7: not configured any more',
      ])
      expect(router.core.looks(1000, 0).map(({name, phase}) => [name, phase])).to.deep.equal([
        ['a', 'asleep'],
        ['c', 'awake'],
      ])
      expect(router.end('b', 1)).to.deep.equal([])
    })

    it('that lifts the budget lets a drained model go on', () => {
      const router = rig(['a', 'b', 'c'], {}, 2)
      router.found({c: true})
      router.arrive('a', 1)
      router.at(1)
      router.arrive('b', 2)
      router.arrive('c', 3)
      router.arrive('a', 4)
      router.at(5)
      expect(router.configure({groups: new Map([['gpu0', 3]])})).to.deep.equal([
        'forward a 4 after 4',
        'wake c',
      ])
    })
  })
})
