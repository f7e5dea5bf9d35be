import type {Clock} from '../foundation/index.js'
import type {HttpClient} from '../http/index.js'
import {engineFiguresOf, fetchMetricsText, fetchModelRoot, kvPageOf} from '../inference/index.js'
import type {EngineLook} from './engine-look.js'
import {findEngineAddresses, type EngineAddress} from './find-engines.js'

export interface EngineWatchOptions {
  /** What the user named; none looks for engines. */
  readonly configured: readonly string[]
  readonly http: HttpClient
  readonly clock: Clock
  readonly procFolder: string
}

/** Keeps an eye on engines without ever waiting long for one. */
export interface EngineWatch {
  /**
   * The engines of this moment. One that takes longer to answer than a moment is told as it was before; only one that was
   * never read is waited for.
   *
   * @param pids processes on GPUs and owners of segments, whose ports are looked at
   */
  look(pids: readonly number[]): Promise<readonly EngineLook[]>
}

/** As long as `curl --max-time 1`, which Blackbox gives an engine. */
const PAGE_TIMEOUT_MS = 1000
const PATIENCE_MS = 100
/** A page is not asked for again sooner. */
const PAGE_AGE_MS = 200
/** Addresses are looked for again so often, and at once when processes come or go. */
const ADDRESSES_AGE_MS = 10_000
/** A port whose owner is no engine is left in peace, unless the user named it. */
const SILENT_MS = 300_000
/** Where engines listen unless told otherwise, and nothing does, is asked no more often. */
const ABSENT_MS = 5000
/** Figures that could not be read again for so long are no longer told. */
const FIGURES_AGE_MS = 10_000

interface Watched {
  look: EngineLook
  reading: Promise<void> | null
  isRootAsked: boolean
  /** Milliseconds of the clock before which it is not asked again. */
  notBeforeMs: number
}

export function createEngineWatch({configured, http, clock, procFolder}: EngineWatchOptions): EngineWatch {
  const watched = new Map<string, Watched>()
  let addresses: readonly EngineAddress[] = []
  let soughtAtMs = -Infinity
  let soughtFor = ''
  const nowMs = (): number => clock.nowNs() / 1e6

  const seek = async (pids: readonly number[]): Promise<void> => {
    const key = pids.join()
    if (key === soughtFor && nowMs() - soughtAtMs < ADDRESSES_AGE_MS) return
    soughtFor = key
    soughtAtMs = nowMs()
    addresses = await findEngineAddresses({configured, pids, procFolder})
    const urls = new Set(addresses.map(({url}) => url))
    for (const url of watched.keys()) if (!urls.has(url)) watched.delete(url)
  }

  const read = async (url: string, one: Watched): Promise<void> => {
    const text = await fetchMetricsText(http, url, undefined, PAGE_TIMEOUT_MS)
    const page = text === null ? null : kvPageOf(text)
    one.notBeforeMs = nowMs() + PAGE_AGE_MS
    if (page === null) {
      const isNew = one.look.readAtMs === null || Date.now() - one.look.readAtMs > FIGURES_AGE_MS
      const state = text === null ? 'unreachable' : 'silent'
      if (isNew) one.look = {...unread(one.look), state}
      if (one.look.readAtMs !== null) return
      if (one.look.source === 'listening') one.notBeforeMs = nowMs() + SILENT_MS
      if (one.look.source === 'default') one.notBeforeMs = nowMs() + ABSENT_MS
      return
    }
    const modelRoot = one.isRootAsked
      ? one.look.modelRoot
      : await fetchModelRoot(http, url, page.model, PAGE_TIMEOUT_MS)
    one.isRootAsked = true
    const figures = engineFiguresOf(text!)
    one.look = {...one.look, ...page, ...{state: 'ok', modelRoot, figures, readAtMs: Date.now()}}
  }

  return {
    async look(pids) {
      await seek(pids)
      for (const address of addresses) {
        const one = watched.get(address.url) ?? newlyWatched(address)
        watched.set(address.url, one)
        one.look = {...one.look, ...address}
        if (one.reading === null && nowMs() >= one.notBeforeMs)
          one.reading = read(address.url, one).finally(() => (one.reading = null))
      }
      await Promise.all(
        addresses.map(async ({url}) => {
          const {reading, look} = watched.get(url)!
          if (reading) await (look.readAtMs === null ? reading : atMost(reading, PATIENCE_MS))
        }),
      )
      return addresses.map(({url}) => watched.get(url)!.look)
    },
  }
}

function newlyWatched(address: EngineAddress): Watched {
  return {look: unread(address), reading: null, isRootAsked: false, notBeforeMs: 0}
}

function unread(address: EngineAddress): EngineLook {
  const {url, source, pids} = address
  return {
    ...{url, source, pids},
    state: 'unreachable',
    kind: null,
    model: null,
    modelRoot: null,
    isAsleep: null,
    pools: [],
    figures: null,
    readAtMs: null,
  }
}

async function atMost(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([work, new Promise(resolve => (timer = setTimeout(resolve, ms)))])
  clearTimeout(timer)
}
