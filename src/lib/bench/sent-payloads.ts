import {join} from 'node:path'
import {readMeta, RUN_FILES, type RunDirectory} from '../runs/index.js'
import type {WorkItem} from '../workloads/index.js'
import {planBench} from './bench-plan.js'
import {itemsOf} from './load-jobs.js'
import {createRequestBuilder} from './request-builder.js'
import {wholeList} from './send-list.js'
import {readStoredPlan} from './stored-plan.js'
import {workloadOf} from './workload-of.js'

/** What the requests of a run said, by id. */
export interface SentPayloads {
  /** The id of the first request of its conversation, and its place there. */
  place(id: number): {readonly session: number; readonly turn: number}
  /** The JSON body. */
  body(id: number): Readonly<Record<string, unknown>>
  /** False where later turns repeated answers, which no file keeps: those stand here without them. */
  readonly isWhole: boolean
}

/**
 * Makes the bodies of a run's requests again, from the plan that its `meta.json` holds.
 *
 * @throws ConfigurationError `PLAN_MISSING`, `PLAN_CHANGED`, `DATASET_UNREADABLE`, `DATASET_CHANGED`
 */
export async function sentPayloads(run: RunDirectory): Promise<SentPayloads> {
  const meta = await readMeta(run)
  const {options: stored, model, fit} = readStoredPlan(meta.plan, join(run.path, RUN_FILES.meta))
  const {options, workload} = await workloadOf(stored)
  const plan = planBench(options, workload)
  const items = itemsOf(plan, wholeList(plan))
  const builder = createRequestBuilder({
    ...{runId: meta.run_id ?? run.runId, routes: [], model, fit, apiKey: null, places: null},
    ...{shape: plan.request, promptSeed: plan.promptSeed, urlOrder: options.urlOrder},
    items: items && new Map([...items].map(([id, item]) => [id, withoutAnswers(item)])),
  })
  return {
    place: id => {
      const turn = items?.get(id)?.turn ?? 0
      return {session: id - turn, turn}
    },
    body: id => builder.body(id),
    isWhole: ![...(items?.values() ?? [])].some(({isLive, turn}) => isLive === true && turn > 0),
  }
}

/** A later turn whose answers were the server's own keeps what users said. */
function withoutAnswers(item: WorkItem): WorkItem {
  const {content, isLive} = item
  if (isLive !== true || content.kind === 'text') return item
  const isAsked = (message: object): boolean => (message as {role?: unknown}).role !== 'assistant'
  return {
    ...item,
    isLive: false,
    content:
      content.kind === 'made'
        ? {...content, messages: content.messages.filter(isAsked)}
        : {...content, messages: content.messages.filter(isAsked)},
  }
}
