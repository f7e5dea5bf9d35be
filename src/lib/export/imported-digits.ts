import {isDeepStrictEqual} from 'node:util'
import {RUN_FILES, readImported} from '../runs/index.js'
import type {ExportedRun} from './exported-run.js'
import {vllmDocument, type VllmOptions} from './vllm.js'

/** Instants are kept to the microsecond; sums over a run of them may be off by some. */
const TOLERANCE = 1e-5

/**
 * Gives an imported run its own keys and digits back: keys that records cannot hold (labels, texts, metadata) as they were, figures
 * with the digits of the file as long as the records still say the same. A figure that they do not say is told.
 */
export async function withImportedDigits(
  exported: ExportedRun,
  options: VllmOptions,
  document: Record<string, unknown>,
): Promise<{document: Record<string, unknown>; warnings: string[]}> {
  const original = await readImported(exported.run)
  if (original === null) return {document, warnings: []}
  const percentiles = new Set(options.percentiles)
  for (const key of Object.keys(original)) {
    const p = /^p([\d.]+)_\w+_ms$/.exec(key)?.[1]
    if (p !== undefined) percentiles.add(Number(p))
  }
  const computed = vllmDocument(exported, {isDetailed: true, percentiles: [...percentiles]})
  const differing = Object.entries(original)
    .filter(([key, value]) => isComputed(key) && key in computed && !agrees(value, computed[key]))
    .map(([key]) => key)
  const replaced = Object.fromEntries(differing.map(key => [key, computed[key]]))
  return {
    document: {...original, ...replaced},
    warnings: differing.map(
      key => `${key} of ${RUN_FILES.imported} does not follow from requests.csv; the records' is written`,
    ),
  }
}

/** Figures; the set-up and what was answered stand in the file alone. */
function isComputed(key: string): boolean {
  return (
    /^(?:mean|median|std|p[\d.]+)_(?:ttft|tpot|itl|e2el)_ms$/.test(key) ||
    [
      'completed',
      'failed',
      'num_prompts',
      'total_input_tokens',
      'total_output_tokens',
      'ttfts',
      'itls',
      'input_lens',
      'output_lens',
    ].includes(key)
  )
}

function agrees(one: unknown, other: unknown): boolean {
  if (typeof one === 'number' && typeof other === 'number') {
    return Math.abs(one - other) <= TOLERANCE + TOLERANCE * Math.abs(one)
  }
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((value, index) => agrees(value, other[index]))
  }
  return isDeepStrictEqual(one, other)
}
