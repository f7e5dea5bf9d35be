import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {ConfigurationError} from '../foundation/index.js'
import {conversationsOf} from './sharegpt.js'
import {linesOf, workloadOfBodies, workloadOfLines} from './jsonl.js'
import {azureRows, burstGptRows, mooncakeRows, traceWorkload} from './traces.js'
import type {FileSpec} from './spec.js'
import type {Workload} from './workload.js'

/**
 * Reads a data set.
 *
 * @throws ConfigurationError `DATASET_UNREADABLE`, `DATASET_CHANGED`
 */
export async function readWorkload(
  spec: FileSpec,
  seed: number,
): Promise<{workload: Workload; sha256: string}> {
  const text = await readText(spec.path)
  const sha256 = createHash('sha256').update(text).digest('hex')
  if (spec.sha256 !== null && spec.sha256 !== sha256) {
    throw new ConfigurationError(
      'DATASET_CHANGED',
      `${spec.path} is not the file that the run was planned with`,
      {
        suggestions: ['kvctl bench, which starts a new run'],
      },
    )
  }
  const workload = first(partOf(spec, parse(spec, text, seed)), spec.limit ?? Infinity)
  if (workload.items.length === 0) throw unreadable(spec.path, `holds no request that ${spec.kind} can take`)
  return {workload, sha256}
}

function parse(spec: FileSpec, text: string, seed: number): Workload {
  const {path, kind, speedup, block_tokens: blockTokens} = spec
  try {
    switch (kind) {
      case 'sharegpt':
        return conversationsOf(JSON.parse(text), seed)
      case 'jsonl':
        return workloadOfLines(linesOf(text), speedup, spec.history === 'live')
      case 'openai':
        return workloadOfBodies(linesOf(text))
      case 'mooncake':
        return traceWorkload(mooncakeRows(linesOf(text), 0.001), {speedup, blockTokens, seed})
      case 'vllm-trace':
        return traceWorkload(mooncakeRows(linesOf(text), 1), {speedup, blockTokens, seed})
      case 'azure':
        return traceWorkload(azureRows(text), {speedup, blockTokens, seed})
      case 'burstgpt':
        return traceWorkload(burstGptRows(text), {speedup, blockTokens, seed})
    }
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    throw unreadable(path, `is no ${kind} file: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The sessions that begin in the asked part of a trace, at their times since its start. */
function partOf({start_ms: start, end_ms: end, speedup}: FileSpec, {items, timesMs}: Workload): Workload {
  if (timesMs === null || (start === 0 && end === null)) return {items, timesMs}
  const [from, to] = [start / speedup, (end ?? Infinity) / speedup]
  const isIn = timesMs.map(at => (at >= from && at < to ? 1 : 0))
  let session = -1
  return {
    items: items.filter(({turn}) => {
      if (turn === 0) session++
      return isIn[session] === 1
    }),
    timesMs: timesMs.filter((_, place) => isIn[place] === 1).map(at => at - from),
  }
}

/** The first sessions that fit: none is cut. */
function first({items, timesMs}: Workload, limit: number): Workload {
  if (items.length <= limit) return {items, timesMs}
  let end = limit
  while (end > 0 && items[end]!.turn !== 0) end--
  // A first session longer than the limit is cut: something must be sent.
  const kept = items.slice(0, end === 0 ? limit : end)
  const sessions = kept.filter(({turn}) => turn === 0).length
  return {items: kept, timesMs: timesMs && timesMs.slice(0, sessions)}
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new ConfigurationError('DATASET_UNREADABLE', `${path} cannot be read`, {cause: error})
  }
}

function unreadable(path: string, why: string): ConfigurationError {
  return new ConfigurationError('DATASET_UNREADABLE', `${path} ${why}`, {
    suggestions: ['kvctl bench --help shows what --dataset takes'],
  })
}
