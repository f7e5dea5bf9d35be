import {readFile} from 'node:fs/promises'
import {resolve} from 'node:path'
import {Flags, type Interfaces} from '@oclif/core'
import {schemaBody, toolsBody} from '../lib/bench/index.js'
import {ConfigurationError} from '../lib/foundation/index.js'
import {
  FILE_FORMATS,
  parseLengthPairs,
  parseLengths,
  type FileSpec,
  type WorkloadSpec,
} from '../lib/workloads/index.js'
import {countFlag, decimalFlag, durationFlag} from './flags.js'

const [WORKLOAD, REQUEST] = ['WORKLOAD', 'REQUEST']
const MADE = ['synthetic', 'shared-prefix', 'multi-turn', 'agentic'] as const

const lengthsFlag = Flags.custom({
  parse: async text => {
    parseLengths(text)
    return text
  },
  helpValue: 'LENGTHS',
  helpGroup: WORKLOAD,
})

/** What requests say, where they are not all alike. */
export const workloadFlags = {
  dataset: Flags.option({
    options: [...MADE, ...FILE_FORMATS] as const,
    description:
      'made-up requests that differ in length, share a beginning or follow each other, or the format of --dataset-path',
    helpGroup: WORKLOAD,
    helpValue: 'NAME',
    exclusive: ['prompt', 'prompt-tokens'],
  })(),
  'dataset-path': Flags.file({
    description: 'data set to send: questions, or a trace that also says when',
    helpGroup: WORKLOAD,
    helpValue: 'FILE',
    dependsOn: ['dataset'],
  }),
  'input-tokens': lengthsFlag({
    description:
      'lengths of prompts, or of what comes after a shared beginning: 512, 256:1024, N(480,240), zipf(1.2,16,2048) …',
    exclusive: ['prompt', 'prompt-tokens'],
  }),
  'output-tokens': lengthsFlag({
    description: 'lengths of answers, in the same forms; without it --max-tokens',
    exclusive: ['prompt', 'prompt-tokens'],
  }),
  'length-pairs': Flags.string({
    description: 'lengths of prompts and answers together, with weights: 256,128:60;512,256:40',
    helpGroup: WORKLOAD,
    helpValue: 'PAIRS',
    exclusive: ['prompt', 'prompt-tokens', 'input-tokens', 'output-tokens', 'dataset'],
    parse: async text => {
      parseLengthPairs(text)
      return text
    },
  }),
  'first-input-tokens': lengthsFlag({
    description: 'conversations: lengths of what is said first (default as in every turn)',
    dependsOn: ['dataset'],
  }),
  'prefix-groups': countFlag({
    description: 'shared-prefix: how many beginnings there are (default 8)',
    min: 1,
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
  'prefix-tokens': countFlag({
    description:
      'length of a shared beginning (default 512), or of the system prompt of all sessions (default 0)',
    min: 0,
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
  'private-tokens': countFlag({
    description:
      'conversations: length of the part of the system prompt that each has of its own (default 0)',
    min: 0,
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
  history: Flags.option({
    options: ['fixed', 'live'] as const,
    description:
      "conversations: what stands there as earlier answers; fixed ones, alike for every server, or live the server's own (default fixed)",
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  })(),
  'tool-calls': countFlag({
    description: 'agentic: calls of a tool before each answer (default 2)',
    min: 0,
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
  'tool-result-tokens': lengthsFlag({
    description: 'agentic: lengths of what the tool gives back (default 256)',
    dependsOn: ['dataset'],
  }),
  'tool-delay': durationFlag({
    description: 'agentic: mean time that the tool takes (default 0)',
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
  'trace-start': durationFlag({
    description: 'leaves out what a trace has before, in its own time',
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
  'trace-end': durationFlag({
    description: 'leaves out what a trace has from there on',
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
  turns: countFlag({
    description: 'multi-turn and agentic: questions of a session (default 4)',
    min: 1,
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
  'think-time': durationFlag({
    description: 'multi-turn and agentic: mean pause between an answer and the next question (default 0)',
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
  speedup: decimalFlag({
    description: 'divides the times and pauses of a data set (default 1)',
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
  'block-tokens': countFlag({
    description: 'tokens that one hash id of a trace stands for (default 512)',
    min: 1,
    helpGroup: WORKLOAD,
    dependsOn: ['dataset'],
  }),
}
export const WORKLOAD_FLAGS = Object.keys(workloadFlags) as (keyof typeof workloadFlags)[]

/** What goes into the body of every request, and its headers. */
export const requestBodyFlags = {
  'top-k': countFlag({description: 'sampling from the k likeliest', min: 1, helpGroup: REQUEST}),
  'presence-penalty': decimalFlag({description: 'presence penalty', min: -2, max: 2, helpGroup: REQUEST}),
  'frequency-penalty': decimalFlag({description: 'frequency penalty', min: -2, max: 2, helpGroup: REQUEST}),
  'num-completions': countFlag({description: 'answers to one request (n)', min: 1, helpGroup: REQUEST}),
  'sampling-seed': countFlag({
    description: 'seed of the sampling of every answer; none is sent without it',
    min: 0,
    helpGroup: REQUEST,
  }),
  'json-mode': Flags.boolean({
    description: 'ask for a JSON object',
    helpGroup: REQUEST,
    exclusive: ['json-schema'],
  }),
  'json-schema': Flags.file({
    description: 'ask for JSON after this schema',
    helpGroup: REQUEST,
    helpValue: 'FILE',
  }),
  tools: Flags.file({
    description: 'JSON array of tools to offer with every request',
    helpGroup: REQUEST,
    helpValue: 'FILE',
  }),
  'extra-openai-json': Flags.file({
    description: 'JSON object merged over every request body',
    helpGroup: REQUEST,
    helpValue: 'FILE',
  }),
  'extra-body': Flags.string({
    description: 'the same, written out: \'{"min_p": 0.1}\'',
    helpGroup: REQUEST,
    helpValue: 'JSON',
  }),
  header: Flags.string({
    description: 'header to send with every request, as NAME=VALUE; repeatable',
    helpGroup: REQUEST,
    helpValue: 'NAME=VALUE',
    multiple: true,
  }),
}
export const BODY_FLAGS = (Object.keys(requestBodyFlags) as (keyof typeof requestBodyFlags)[]).filter(
  name => name !== 'header',
)

type WorkloadValues = Interfaces.InferredFlags<typeof workloadFlags>
type BodyValues = Interfaces.InferredFlags<typeof requestBodyFlags>

const [INPUT, PREFIX_TOKENS] = ['128', 512]

/** @returns null when all requests are alike @throws ConfigurationError for flags that do not go together */
export function workloadOfFlags(flags: WorkloadValues): WorkloadSpec | null {
  const {dataset = 'synthetic', turns = 4} = flags
  const [given, output] = [flags['input-tokens'], flags['output-tokens'] ?? null]
  const input = given ?? INPUT
  switch (dataset) {
    case 'synthetic':
      if (flags['length-pairs'] !== undefined) return {kind: 'length-pairs', pairs: flags['length-pairs']}
      if (flags.dataset === undefined && given === undefined && output === null) return null
      return {kind: 'lengths', input, output}
    case 'shared-prefix': {
      const {'prefix-groups': groups = 8, 'prefix-tokens': tokens = PREFIX_TOKENS} = flags
      return {kind: dataset, groups, prefix_tokens: tokens, input, output}
    }
    case 'multi-turn': {
      return {kind: dataset, ...talkOf(flags, input, output), turns, history: flags.history ?? 'fixed'}
    }
    case 'agentic': {
      const {'tool-calls': calls = 2, 'tool-result-tokens': result = '256', 'tool-delay': toolMs = 0} = flags
      const tool = {tool_calls: calls, tool_result: result, tool_ms: toolMs}
      return {kind: dataset, ...talkOf(flags, input, output), turns, ...tool}
    }
    default:
      return fileSpecOf(dataset, flags)
  }
}

function talkOf(flags: WorkloadValues, input: string, output: string | null) {
  const {'prefix-tokens': shared = 0, 'private-tokens': own = 0, 'think-time': thinkMs = 0} = flags
  const first = flags['first-input-tokens'] ?? null
  return {prefix_tokens: shared, private_tokens: own, first_input: first, input, output, think_ms: thinkMs}
}

function fileSpecOf(kind: FileSpec['kind'], flags: WorkloadValues): FileSpec {
  const {'dataset-path': path, speedup = 1, 'block-tokens': blockTokens = 512} = flags
  if (path === undefined) {
    throw new ConfigurationError('USAGE', `--dataset ${kind} needs the file`, {
      suggestions: ['--dataset-path FILE'],
    })
  }
  const {'trace-start': start = 0, 'trace-end': end = null, history = 'fixed'} = flags
  const part = {start_ms: start, end_ms: end, history}
  return {kind, path: resolve(path), sha256: null, speedup, block_tokens: blockTokens, ...part, limit: null}
}

/** @throws ConfigurationError when a file is not readable JSON of its kind */
export async function readBodyFlags(flags: BodyValues): Promise<Record<string, unknown>> {
  const {'json-schema': schema, tools, 'extra-openai-json': extra, 'extra-body': written} = flags
  const known = {
    top_k: flags['top-k'],
    presence_penalty: flags['presence-penalty'],
    frequency_penalty: flags['frequency-penalty'],
    n: flags['num-completions'],
    seed: flags['sampling-seed'],
  }
  return {
    ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)),
    ...(flags['json-mode'] && {response_format: {type: 'json_object'}}),
    ...(schema !== undefined && schemaBody(await readJson(schema, 'object'))),
    ...(tools !== undefined && toolsBody(await readJson(tools, 'array'))),
    ...(extra !== undefined && (await readJson(extra, 'object'))),
    ...(written !== undefined && writtenObject(written)),
  }
}

function writtenObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // as for JSON that is no object
  }
  throw new ConfigurationError('USAGE', `--extra-body takes a JSON object, not '${text}'`, {
    suggestions: [`--extra-body '{"min_p": 0.1}'`],
  })
}

/** @throws ConfigurationError for anything but NAME=VALUE */
export function headersOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map(pair => {
      const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+)\s*[=:]\s*(.*)$/.exec(pair) ?? []
      if (name === undefined || value === undefined || value === '') {
        throw new ConfigurationError('USAGE', `--header takes NAME=VALUE, not '${pair}'`)
      }
      return [name.toLowerCase(), value]
    }),
  )
}

async function readJson(path: string, kind: 'object'): Promise<Record<string, unknown>>
async function readJson(path: string, kind: 'array'): Promise<object[]>
async function readJson(path: string, kind: 'object' | 'array'): Promise<unknown> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new ConfigurationError('CONFIG_UNREADABLE', `${path} is not readable JSON`, {cause: error})
  }
  const isWanted = typeof value === 'object' && value !== null && Array.isArray(value) === (kind === 'array')
  if (!isWanted) throw new ConfigurationError('CONFIG_UNREADABLE', `${path} holds no JSON ${kind}`)
  return value
}
