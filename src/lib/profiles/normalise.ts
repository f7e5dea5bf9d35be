import {basename} from 'node:path'
import {isDeepStrictEqual} from 'node:util'
import {checkYaml, type YamlFile, type YamlPath} from '../config/index.js'
import {ConfigurationError} from '../foundation/index.js'
import {profileSchema, type Profile} from './profile.js'

/** Where upstream's flat keys belong in the documented form. */
const FLAT_KEYS: Readonly<Record<string, YamlPath>> = {
  description: ['metadata', 'description'],
  pattern: ['load_test', 'pattern'],
  requests: ['load_test', 'requests'],
  concurrency: ['load_test', 'concurrency'],
  max_tokens: ['request', 'max_tokens'],
  temperature: ['request', 'temperature'],
  top_p: ['request', 'top_p'],
  test_schema: ['request', 'schema'],
  tools: ['request', 'tools'],
  model_size_hint: ['validation_hints', 'model_size_hint'],
}
const BLOCKS = [
  'metadata',
  'load_test',
  'request',
  'vllm_features',
  'resources',
  'validation',
  'model_requirements',
  'validation_hints',
]
const NOTES = ['use_cases', 'characteristics', 'warnings', 'limitations', 'recommended_alternatives']

export interface NormalisedProfile {
  readonly profile: Profile
  /** Keys that mean nothing here, as `file:line: …`. */
  readonly warnings: readonly string[]
}

/**
 * Brings both spellings of a profile, the documented nested one and upstream's flat one, into one form. `null` means not
 * set; the name defaults to the file's.
 *
 * @throws ConfigurationError `PROFILE_INVALID`, with the line of every problem
 * @see Siryoos/kserve-vllm-mini:runners/profiles — the flat spelling
 */
export function normaliseProfile(file: YamlFile): NormalisedProfile {
  const root = withoutNulls(file.value)
  if (!isRecord(root)) throw problem(file, [], 'a profile is a mapping of keys')
  const nested: Record<string, unknown> = {}
  const origin = new Map<string, YamlPath>()
  const warnings: string[] = []
  for (const [key, value] of Object.entries(root)) {
    if (BLOCKS.includes(key)) nested[key] = isRecord(value) ? {...value} : value
    else if (NOTES.includes(key)) nested['notes'] = {...(nested['notes'] as object | undefined), [key]: value}
    else if (!(key in FLAT_KEYS))
      warnings.push(`${file.source}:${file.lineOf([key])}: unknown key '${key}' is ignored`)
  }
  const keys = Object.keys(root)
  if (keys.length > 0 && warnings.length === keys.length) {
    throw problem(
      file,
      [],
      `this is no profile: it has only ${keys.slice(0, 3).join(', ')}, which mean nothing in one`,
    )
  }
  for (const [key, [block, name]] of Object.entries(FLAT_KEYS) as [string, [string, string]][]) {
    if (!(key in root)) continue
    const value = key === 'test_schema' ? schemaOf(file, root[key]) : root[key]
    const target = (nested[block] ??= {})
    if (!isRecord(target)) continue
    if (name in target && !isDeepStrictEqual(target[name], value)) {
      throw problem(
        file,
        [key],
        `'${key}' and '${block}.${name}' (line ${file.lineOf([block, name])}) differ`,
      )
    }
    target[name] = value
    origin.set(`${block}.${name}`, [key])
  }
  nested['metadata'] ??= {}
  if (isRecord(nested['metadata']))
    nested['metadata']['name'] ??= basename(file.source).replace(/\.ya?ml$/, '')
  const lineOf = (path: YamlPath): number => file.lineOf(origin.get(path.slice(0, 2).join('.')) ?? path)
  return {
    profile: checkYaml({source: file.source, value: nested, lineOf}, profileSchema, 'PROFILE_INVALID'),
    warnings,
  }
}

function schemaOf(file: YamlFile, value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value) as unknown
  } catch (error) {
    throw problem(file, ['test_schema'], `test_schema is not JSON: ${(error as Error).message}`)
  }
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isRecord(value)) return value
  const kept = Object.entries(value).filter(([, part]) => part !== null)
  return Object.fromEntries(kept.map(([key, part]) => [key, withoutNulls(part)]))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function problem(file: YamlFile, path: YamlPath, why: string): ConfigurationError {
  return new ConfigurationError('PROFILE_INVALID', `${file.source}:${file.lineOf(path)}: ${why}`)
}
