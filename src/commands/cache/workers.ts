import {CacheCommand} from '../../cli/cache-command.js'
import {EXIT} from '../../lib/foundation/index.js'
import {complaintIn, isDone, type TargetReply} from '../../lib/tiers/index.js'

interface WorkerRow {
  readonly url: string
  readonly state: 'ready' | 'no engine' | 'unreachable' | 'failed'
  readonly model: string | null
  readonly worker_id: number | null
  readonly world_size: number | null
  readonly tiers: readonly string[]
  /** Why tiers are left out for the moment, by name; null where the worker does not tell, as LMCache's do not. */
  readonly degraded_tiers: Readonly<Record<string, string>> | null
  readonly version: string | null
  readonly detail: string | null
}

export default class CacheWorkers extends CacheCommand {
  static override summary = 'which cache workers answer, who they are and which tiers they have'
  static override description = `A worker that answers for its version and not for its tiers has no engine behind it: it is the scheduler, or LMCache's one-process mode lost its engine.
Leaves with 3 where a worker cannot be reached.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --url http://rank0:7000 --url http://rank1:7001',
  ]

  async run(): Promise<WorkerRow[]> {
    const {flags} = await this.parse(CacheWorkers)
    const input = {query: {}, body: '', name: null}
    const rows = await this.withWorkers(flags, async workers => {
      const [tiers, meta, version, figures] = await Promise.all([
        workers.askAll('listBypassed', input),
        workers.askAll('getMeta', input),
        workers.askAll('lmcVersion', input),
        workers.askAll('backendFigures', input),
      ])
      return tiers.map((reply, index) => rowOf(reply, meta[index]!, version[index]!, figures[index]!))
    })
    if (rows.some(({state}) => state === 'unreachable')) process.exitCode = EXIT.network
    const width = Math.max(...rows.map(({url}) => url.length))
    this.log(`${'WORKER'.padEnd(width)}  STATE        RANK   MODEL, TIERS`)
    for (const {url, state, model, worker_id: id, world_size: size, tiers, degraded_tiers, detail} of rows) {
      const shown = tiers.map(name => (degraded_tiers?.[name] === undefined ? name : `${name} (degraded)`))
      const rank = id === null ? 'N/A' : `${id}/${size ?? '?'}`
      this.log(
        `${url.padEnd(width)}  ${state.padEnd(11)}  ${rank.padEnd(5)}  ${detail ?? [model, ...shown].join(', ')}`,
      )
    }
    return rows
  }
}

function rowOf(tiers: TargetReply, meta: TargetReply, version: TargetReply, figures: TargetReply): WorkerRow {
  const facts = isDone(meta) ? (meta.body as Record<string, unknown>) : {}
  const names = isDone(tiers) ? (tiers.body as {all_backends?: unknown}).all_backends : []
  return {
    url: tiers.url,
    state: isDone(tiers)
      ? 'ready'
      : tiers.status === null
        ? 'unreachable'
        : tiers.status === 503
          ? 'no engine'
          : 'failed',
    model: typeof facts['model_name'] === 'string' ? facts['model_name'] : null,
    worker_id: typeof facts['worker_id'] === 'number' ? facts['worker_id'] : null,
    world_size: typeof facts['world_size'] === 'number' ? facts['world_size'] : null,
    tiers: Array.isArray(names) ? names.map(String) : [],
    degraded_tiers: isDone(figures) ? degradedIn(figures.body) : null,
    version: isDone(version) && typeof version.body === 'string' ? version.body : null,
    detail: isDone(tiers) ? null : complaintIn(tiers),
  }
}

function degradedIn(body: unknown): Record<string, string> {
  const {backends = {}} = body as {backends?: Readonly<Record<string, {readonly degraded?: unknown}>>}
  return Object.fromEntries(
    Object.entries(backends).flatMap(([name, {degraded}]) =>
      typeof degraded === 'string' ? [[name, degraded]] : [],
    ),
  )
}
