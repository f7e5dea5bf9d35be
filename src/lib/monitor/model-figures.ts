import {askIfOffered, type RemoteServer} from './ask-server.js'
import {fieldsOf, numberOf, rowsOf, textOf} from '../foundation/index.js'

/** A model behind a controller on the screen; null is unknown. */
export interface ModelFigures {
  readonly name: string
  /** URL of its controller. */
  readonly controller: string
  readonly readAtMs: number
  /** `awake`, `falling`, `asleep`, `waking`. */
  readonly phase: string
  readonly asleepForMs: number | null
  readonly engines: number
  /** Of those; null where the controller does not say. */
  readonly healthyEngines: number | null
  /** Since the start of the controller; a model without any has no traffic yet. */
  readonly requests: number | null
  readonly failed: number | null
  /** Over the last minute. */
  readonly requestsPerSecond: number | null
  readonly meanAnswerMs: number | null
  readonly inFlight: number | null
  readonly waiting: number | null
  readonly idleMs: number | null
}

/**
 * The models of a controller, kvctl's or kvcached's own.
 *
 * @returns null where there is no controller
 * @throws as `askServer`
 * @see ovg-project/kvcached:controller/frontend.py — the documents
 */
export async function lookAtModels(server: RemoteServer): Promise<ModelFigures[] | null> {
  // Alone first: where there is no controller, that is one refused connection in place of three.
  const models = await askIfOffered(server, '/models')
  if (models === null) return null
  const [traffic, sleep] = await Promise.all(
    ['/traffic/stats', '/sleep/status'].map(path => askIfOffered(server, path)),
  )
  return modelFigures(server.url, Date.now(), {models, traffic, sleep})
}

/** Pure: three documents of a controller as one list. */
export function modelFigures(
  controller: string,
  readAtMs: number,
  documents: {readonly models: unknown; readonly traffic: unknown; readonly sleep: unknown},
): ModelFigures[] {
  const traffic = fieldsOf(fieldsOf(documents.traffic)['traffic_stats'])
  const sleeping = fieldsOf(fieldsOf(documents.sleep)['sleeping_models'])
  return Object.entries(fieldsOf(fieldsOf(documents.models)['models'])).map(([name, model]) => {
    const {phase, replicas} = fieldsOf(model)
    const engines = rowsOf(replicas)
    const seen = fieldsOf(traffic[name])
    const asleepForMs = inMs(fieldsOf(sleeping[name])['sleep_duration'])
    return {
      ...{name, controller, readAtMs, asleepForMs},
      phase: textOf(phase) ?? (name in sleeping ? 'asleep' : 'awake'),
      engines: Math.max(1, engines.length),
      healthyEngines: engines.length === 0 ? null : engines.filter(({healthy}) => healthy === true).length,
      requests: numberOf(seen['total_requests']),
      failed: numberOf(seen['failed_requests']),
      requestsPerSecond: numberOf(seen['request_rate']),
      meanAnswerMs: inMs(seen['avg_response_time']),
      inFlight: numberOf(seen['in_flight_requests']),
      waiting: numberOf(seen['waiting_requests']),
      idleMs: inMs(seen['idle_time_seconds']),
    }
  })
}

function inMs(seconds: unknown): number | null {
  const value = numberOf(seconds)
  return value === null ? null : value * 1000
}
