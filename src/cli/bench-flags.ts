import {Flags, type Interfaces} from '@oclif/core'
import {ConfigurationError} from '../lib/foundation/index.js'
import {
  parseStages,
  PATTERNS,
  TRANSPORTS,
  type BenchOptions,
  type LoadFlags,
  type Stage,
} from '../lib/bench/index.js'
import {headersOf, readBodyFlags, requestBodyFlags, workloadFlags, workloadOfFlags} from './workload-flags.js'
import {countFlag, decimalFlag, durationFlag, urlFlag} from './flags.js'

const [TARGET, LOAD, REQUEST, LIMITS] = ['TARGET', 'LOAD', 'REQUEST', 'TIME LIMIT']

const stagesFlag = Flags.custom<Stage[]>({parse: async text => parseStages(text), helpValue: 'LOAD:TIME,…'})

/** Whom to measure. */
export const targetFlags = {
  url: urlFlag({
    description:
      'base URL of an OpenAI-compatible server, repeatable: requests go to each in turn; without it kvctl starts its own engine',
    helpGroup: TARGET,
    multiple: true,
  }),
  model: Flags.string({description: 'model to ask for (default: the first it lists)', helpGroup: TARGET}),
  'api-key': Flags.string({
    description: 'bearer token (also KVCTL_API_KEY, KVMINI_API_KEY, OPENAI_API_KEY)',
    helpGroup: TARGET,
    helpValue: 'KEY',
  }),
  insecure: Flags.boolean({description: 'accept any TLS certificate', helpGroup: TARGET}),
  'url-order': Flags.option({
    options: ['in-turn', 'random'] as const,
    description: 'which of several servers a conversation goes to',
    default: 'in-turn',
    helpGroup: TARGET,
  })(),
  'session-header': Flags.string({
    description: 'header that names the conversation of a request, for gateways that keep it with one server',
    helpGroup: TARGET,
    helpValue: 'NAME',
    parse: async name => {
      if (/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) return name.toLowerCase()
      throw new ConfigurationError('USAGE', `--session-header takes the name of a header, not '${name}'`)
    },
  }),
  connections: Flags.option({
    options: ['kept', 'per-request'] as const,
    description: 'per-request opens one for each, which shows what set-up costs',
    default: 'kept',
    helpGroup: TARGET,
  })(),
  'reset-cache': Flags.boolean({
    description: 'ask the server to forget the prompts it knows, before anything is sent',
    helpGroup: TARGET,
  }),
}

/** How much, and when. */
export const loadFlags = {
  requests: countFlag({description: 'how many requests', min: 1, helpGroup: LOAD}),
  concurrency: countFlag({
    description: 'requests kept in flight without --rate',
    min: 1,
    helpGroup: LOAD,
  }),
  pattern: Flags.option({
    options: PATTERNS,
    description: 'when requests are sent; steady without --rate is a closed loop',
    helpGroup: LOAD,
    helpValue: 'NAME',
  })(),
  rate: decimalFlag({
    description: 'requests per second, sent on schedule whatever the server does',
    helpGroup: LOAD,
  }),
  duration: durationFlag({description: 'how long to send', helpGroup: LOAD}),
  warmup: countFlag({
    description: 'requests sent first and not judged',
    min: 0,
    helpGroup: LOAD,
  }),
  'max-concurrency': countFlag({
    description: 'with a schedule: no more than this in flight; waiting shows as lateness',
    min: 1,
    helpGroup: LOAD,
  }),
  'cancel-rate': decimalFlag({
    description: 'share of requests whose client hangs up before the end (default 0)',
    min: 0,
    max: 1,
    default: 0,
    helpGroup: LOAD,
  }),
  'cancel-after': durationFlag({
    description: 'when it hangs up, counted from the sending',
    default: 1000,
    helpGroup: LOAD,
  }),
  burstiness: decimalFlag({
    description: 'shape of gamma gaps; below 1 clumps, 1 is Poisson',
    default: 1,
    helpGroup: LOAD,
  }),
  'ramp-from': decimalFlag({
    description: 'rate at which a ramp starts; it ends so that --rate is the mean',
    min: 0,
    default: 0,
    helpGroup: LOAD,
  }),
  'ramp-to': decimalFlag({
    description: 'rate at which a ramp ends, instead of its mean',
    helpGroup: LOAD,
    exclusive: ['rate'],
  }),
  stages: stagesFlag({
    description:
      'stages: rates and how long each lasts, as 2:30s,10:1m; or requests in flight, as 4c:30s,16c:1m; implies --pattern stages',
    helpGroup: LOAD,
  }),
  'normalize-arrivals': Flags.boolean({
    description: 'stretch drawn times so that the last lies at requests / rate, as vllm bench serve does',
    helpGroup: LOAD,
  }),
  'ramp-up': durationFlag({
    description: 'spread the first requests of a closed loop over this time (default 0)',
    default: 0,
    helpGroup: LOAD,
  }),
  'on-time': durationFlag({description: 'on-off: length of a busy phase', default: 5000, helpGroup: LOAD}),
  'off-time': durationFlag({description: 'on-off: length of a pause', default: 5000, helpGroup: LOAD}),
  'off-rate': decimalFlag({
    description: 'on-off: rate in a pause (default 0)',
    min: 0,
    default: 0,
    helpGroup: LOAD,
  }),
  seed: countFlag({
    description: 'fixes schedule and prompts (default: schedule 42, prompts new in every run)',
    min: 0,
    helpGroup: LOAD,
  }),
}

/** What every request is. */
export const requestFlags = {
  'max-tokens': countFlag({description: 'length of an answer', min: 1, helpGroup: REQUEST}),
  'prompt-tokens': countFlag({
    description: 'length of the made-up prompts, each different (default 128)',
    min: 1,
    helpGroup: REQUEST,
    exclusive: ['prompt'],
  }),
  prompt: Flags.string({description: 'one prompt for every request', helpGroup: REQUEST, helpValue: 'TEXT'}),
  'ignore-eos': Flags.boolean({
    description:
      "ask for exactly --max-tokens tokens (ignore_eos and min_tokens); the default for kvctl's own engine",
    allowNo: true,
    helpGroup: REQUEST,
  }),
  temperature: decimalFlag({description: 'sampling temperature', min: 0, max: 2, helpGroup: REQUEST}),
  'top-p': decimalFlag({description: 'nucleus sampling', max: 1, helpGroup: REQUEST}),
  stream: Flags.boolean({
    description: 'stream the answers; --no-stream gives no TTFT',
    allowNo: true,
    helpGroup: REQUEST,
  }),
  'exact-itl': Flags.boolean({
    description:
      'ask the server to count tokens in every chunk, so that itl is exact where chunks carry several',
    helpGroup: REQUEST,
  }),
  tokenizer: Flags.string({
    description:
      'counts prompts and answers where the server does not, and is held against it where it does: a tokenizer.json, a folder with one, or an encoding such as o200k_base',
    helpGroup: REQUEST,
    helpValue: 'FILE|NAME',
  }),
  'length-key': Flags.option({
    options: ['max_tokens', 'max_completion_tokens'] as const,
    description: 'the name by which the length of an answer is asked for',
    default: 'max_tokens',
    helpGroup: REQUEST,
  })(),
  api: Flags.option({
    options: ['chat', 'completions'] as const,
    description: 'which route to use',
    default: 'chat',
    helpGroup: REQUEST,
  })(),
}

/** When to give up on a request; 0 is never. */
export const limitFlags = {
  timeout: durationFlag({description: 'for the whole request', default: 300_000, helpGroup: LIMITS}),
  'timeout-connect': durationFlag({description: 'to open a connection', default: 10_000, helpGroup: LIMITS}),
  'timeout-ttft': durationFlag({description: 'to the first token (0: off)', default: 0, helpGroup: LIMITS}),
  'timeout-idle': durationFlag({
    description: 'between two reads of an answer',
    default: 60_000,
    helpGroup: LIMITS,
  }),
}

/** Where a run comes from and where it goes. */
export const runFlags = {
  profile: Flags.string({
    description: 'what to send: a shipped profile or a YAML file; flags win over it',
    default: 'standard',
    helpValue: 'NAME|FILE',
  }),
  'output-dir': Flags.string({
    aliases: ['run-dir'],
    description: 'run directory (default <KVMINI_OUTPUT_DIR or runs>/<time>, with --resume the latest there)',
    helpValue: 'DIR',
  }),
  workers: countFlag({
    description: 'load processes, each with connections of its own; the schedule stays the same (default 1)',
    min: 1,
  }),
  transport: Flags.option({
    options: TRANSPORTS,
    description:
      'what reads the answers: bare sockets, or a stock HTTP library to check them against (default socket)',
    helpValue: 'NAME',
  })(),
  calibrate: Flags.boolean({
    description:
      'then send the same load for some seconds to a server whose times are known, and store the error of the load generator',
  }),
  resume: Flags.boolean({
    description: 'finish a run that was stopped or killed: send exactly the requests that are missing',
  }),
  plain: Flags.boolean({
    description: 'tell the progress in lines on a terminal too, instead of the live screen',
  }),
  'dry-run': Flags.boolean({description: 'print the resolved plan; touch no network and no disk'}),
}

/** The flags that ask for these options, as if they had been typed; seeds and extra JSON, which are no such flags, left out. */
export function flagsOf(options: BenchOptions): Partial<Parsed> {
  const {request, limits} = options
  const known = {
    pattern: options.pattern,
    requests: options.requests,
    concurrency: options.concurrency,
    rate: options.ratePerSecond,
    duration: options.durationSeconds === null ? null : options.durationSeconds * 1000,
    warmup: options.warmupRequests,
    'max-concurrency': options.maxInFlight,
    'cancel-rate': options.cancelShare,
    'cancel-after': options.cancelAfterMs,
    connections: options.connections,
    'url-order': options.urlOrder,
    'session-header': request.sessionHeader,
    'exact-itl': request.isItlExact,
    'length-key': request.lengthKey,
    burstiness: options.burstiness,
    'ramp-from': options.rampFromPerSecond,
    'on-time': options.onSeconds * 1000,
    'off-time': options.offSeconds * 1000,
    'off-rate': options.offRatePerSecond,
    stages: options.stages.length === 0 ? null : [...options.stages],
    'normalize-arrivals': options.isNormalized,
    'ramp-up': options.rampUpMs,
    'max-tokens': request.maxTokens,
    'prompt-tokens': request.prompt.kind === 'synthetic' ? request.prompt.tokens : null,
    prompt: request.prompt.kind === 'fixed' ? request.prompt.text : null,
    'ignore-eos': request.ignoresEos,
    temperature: request.temperature,
    'top-p': request.topP,
    stream: request.isStreamed,
    api: request.api,
    timeout: limits.totalMs ?? 0,
    'timeout-connect': limits.connectMs ?? 0,
    'timeout-ttft': limits.firstTokenMs ?? 0,
    'timeout-idle': limits.idleMs ?? 0,
  } satisfies Partial<Record<keyof Parsed, unknown>>
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null))
}

type Parsed = Interfaces.InferredFlags<
  typeof targetFlags &
    typeof loadFlags &
    typeof workloadFlags &
    typeof requestFlags &
    typeof requestBodyFlags &
    typeof limitFlags
>

/** @throws ConfigurationError when the extra JSON or the tokenizer is not readable */
export async function readLoadFlags(flags: Parsed): Promise<LoadFlags> {
  // oclif types every switch as boolean; one that nobody gave is absent.
  const switches: Partial<Parsed> = flags
  return {
    pattern: flags.pattern ?? null,
    requests: flags.requests ?? null,
    concurrency: flags.concurrency ?? null,
    ratePerSecond: flags.rate ?? null,
    durationSeconds: flags.duration === undefined ? null : flags.duration / 1000,
    warmupRequests: flags.warmup ?? null,
    maxTokens: flags['max-tokens'] ?? null,
    promptTokens: flags['prompt-tokens'] ?? null,
    prompt: flags.prompt ?? null,
    temperature: flags.temperature ?? null,
    topP: flags['top-p'] ?? null,
    isStreamed: switches.stream ?? null,
    maxInFlight: flags['max-concurrency'] ?? null,
    cancelShare: flags['cancel-rate'],
    cancelAfterMs: flags['cancel-after'],
    connections: flags.connections,
    urlOrder: flags['url-order'],
    sessionHeader: flags['session-header'] ?? null,
    isItlExact: switches['exact-itl'] ?? false,
    tokenizer: flags.tokenizer === undefined ? null : await chooseTokenizer(flags.tokenizer),
    lengthKey: flags['length-key'],
    burstiness: flags.burstiness,
    rampFromPerSecond: flags['ramp-from'],
    onSeconds: flags['on-time'] / 1000,
    offSeconds: flags['off-time'] / 1000,
    offRatePerSecond: flags['off-rate'],
    rampToPerSecond: flags['ramp-to'] ?? null,
    stages: flags.stages ?? [],
    isNormalized: switches['normalize-arrivals'] ?? false,
    rampUpMs: flags['ramp-up'],
    api: flags.api,
    ignoresEos: switches['ignore-eos'] ?? urlsOf(flags.url).length === 0,
    headers: headersOf(flags.header ?? []),
    workload: workloadOfFlags(flags),
    extraBody: await readBodyFlags(flags),
    seed: flags.seed ?? null,
    timeoutMs: flags.timeout,
    timeoutConnectMs: flags['timeout-connect'],
    timeoutFirstTokenMs: flags['timeout-ttft'],
    timeoutIdleMs: flags['timeout-idle'],
  }
}

async function chooseTokenizer(wanted: string): Promise<LoadFlags['tokenizer']> {
  const {openTokenizer} = await import('../lib/tokens/index.js')
  return (await openTokenizer(wanted)).choice
}

/** One address, as from a variable of the environment, or several. */
export function urlsOf(flag: string | readonly string[] | undefined): readonly string[] {
  return flag === undefined ? [] : [flag].flat()
}
