import {Flags, type Interfaces} from '@oclif/core'
import {ConfigurationError} from '../lib/foundation/index.js'
import {parseDevice, type Device} from '../lib/memory/index.js'
import type {EngineFlags} from '../server/engine-settings.js'
import type {FaultRates} from '../server/fault-injection.js'
import {durationFlag} from './flags.js'
import {checkMayListen} from './may-listen.js'

const number = Flags.custom<number>({
  parse: async text => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value
    throw new ConfigurationError('NUMBER_INVALID', `'${text}' is not a number of 0 or more`)
  },
  helpValue: 'NUMBER',
})
const count = (helpGroup: string, description: string, min: number, fallback: number) =>
  Flags.integer({helpGroup, description, min, default: fallback, helpValue: 'N'})

const share = (helpGroup: string, description: string, fallback = 0) =>
  number({
    helpGroup,
    description,
    default: fallback,
    helpValue: 'SHARE',
    parse: async text => {
      const value = Number(text)
      if (text.trim() !== '' && value >= 0 && value <= 1) return value
      throw new ConfigurationError('NUMBER_INVALID', `'${text}' is not a share from 0 to 1`)
    },
  })

const SERVER = 'SERVER'
const CACHE = 'CACHE'
const TIME = 'TIME'
const FAULTS = 'FAULTS'

/** vLLM's spelling wherever vLLM has the flag. @see vllm-project/vllm:vllm/entrypoints/openai/cli_args.py */
export const engineFlags = {
  model: Flags.string({
    helpGroup: SERVER,
    description:
      'model to play: a name of the model table, such as Qwen/Qwen3-8B, or a Hugging Face config.json or its folder (default meta-llama/Llama-3.1-8B-Instruct)',
    helpValue: 'NAME|PATH',
  }),
  'served-model-name': Flags.string({
    helpGroup: SERVER,
    description:
      'name in requests and metrics instead of the model; may be repeated, the first labels metrics',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'NAME',
  }),
  host: Flags.string({
    helpGroup: SERVER,
    description: 'address to listen on; any but the loopback needs --api-key or --no-auth',
    default: '127.0.0.1',
  }),
  'cache-config': Flags.string({
    description:
      "YAML file of LMCache's settings: KV goes through the tiers that it names (also LMCACHE_CONFIG_FILE; default no tiers)",
    helpValue: 'FILE',
  }),
  'cache-port': Flags.integer({
    description: "with tiers: port of LMCache's worker API; 0 takes a free one",
    default: 7000,
    min: 0,
    max: 65_535,
  }),
  port: Flags.integer({
    helpGroup: SERVER,
    description: 'port to listen on; 0 takes a free one',
    default: 8000,
    min: 0,
    max: 65_535,
  }),
  'api-key': Flags.string({
    helpGroup: SERVER,
    description: 'key that /v1 asks for (also VLLM_API_KEY); may be repeated',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'KEY',
  }),
  'no-auth': Flags.boolean({helpGroup: SERVER, description: 'listen to other machines without a key'}),
  'max-num-queued-reqs': count(SERVER, 'answers waiting and running at most; more get 503', 1, 4096),
  'max-logprobs': count(SERVER, 'alternatives per token at most', 0, 20),
  'enable-prompt-tokens-details': Flags.boolean({
    helpGroup: SERVER,
    description: 'tell cached tokens in usage',
  }),
  'enable-auto-tool-choice': Flags.boolean({
    helpGroup: SERVER,
    description: 'let answers choose whether to call tools; needs --tool-call-parser',
    dependsOn: ['tool-call-parser'],
  }),
  'tool-call-parser': Flags.option({
    helpGroup: SERVER,
    description: 'how answers that choose write their calls',
    options: ['hermes', 'llama3_json'] as const,
  })(),
  'tool-call-rate': share(SERVER, 'share of such answers that call a tool', 0.5),
  'enable-force-include-usage': Flags.boolean({helpGroup: SERVER, description: 'usage in every stream'}),
  'enable-request-id-headers': Flags.boolean({helpGroup: SERVER, description: 'send X-Request-Id back'}),
  'strict-vllm': Flags.boolean({
    helpGroup: SERVER,
    description:
      'as vLLM: /sleep, /wake_up, /pause, /reset_prefix_cache and /server_info only with VLLM_SERVER_DEV_MODE=1',
  }),
  'enable-sleep-mode': Flags.boolean({
    helpGroup: SERVER,
    description: 'let /sleep have its effect under --strict-vllm; without that it always has',
  }),
  'drain-timeout': durationFlag({
    helpGroup: SERVER,
    description: 'how long running answers may go on after Ctrl-C',
    default: 10_000,
    defaultHelp: async () => '10s',
  }),

  'max-model-len': Flags.string({
    helpGroup: CACHE,
    description: "prompt and answer together at most: 4096, 32k, auto (default: the model's, at most 32768)",
    helpValue: 'TOKENS',
  }),
  'block-size': count(CACHE, 'tokens per KV block', 1, 16),
  'num-gpu-blocks-override': count(CACHE, 'KV blocks, 64 KiB of real memory each at 16 tokens', 2, 4096),
  'enable-prefix-caching': Flags.boolean({
    helpGroup: CACHE,
    description: 'reuse the KV blocks of equal beginnings',
    default: true,
    allowNo: true,
  }),
  'enable-chunked-prefill': Flags.boolean({
    helpGroup: CACHE,
    description: 'compute long prompts in several steps',
    default: true,
    allowNo: true,
  }),
  'max-num-seqs': count(CACHE, 'answers running at once', 1, 256),
  'max-num-batched-tokens': count(CACHE, 'tokens computed per step', 1, 2048),
  'long-prefill-token-threshold': count(CACHE, 'prompt tokens per answer and step; 0 is no limit', 0, 0),
  'scheduling-policy': Flags.option({
    helpGroup: CACHE,
    description: 'order of the queue',
    options: ['fcfs', 'priority'] as const,
    default: 'fcfs',
  })(),
  'kv-cache-dtype': Flags.option({
    helpGroup: CACHE,
    description: 'KV element type whose traffic is timed',
    options: ['auto', 'bfloat16', 'fp8', 'fp8_e4m3', 'fp8_e5m2'] as const,
    default: 'auto',
  })(),
  device: Flags.custom<Device>({
    helpGroup: CACHE,
    description: "where KV pages are: cpu for this machine's memory, or cuda:N for that of a GPU",
    parse: async text => parseDevice(text),
    default: {kind: 'cpu'},
    defaultHelp: async () => 'cpu',
    helpValue: 'cpu|cuda:N',
  })(),
  'ipc-name': Flags.string({
    helpGroup: CACHE,
    description: "the segment's name (default KVCACHED_IPC_NAME, else kvcached_kvctl_<process group>)",
    helpValue: 'NAME',
    exclusive: ['no-segment'],
  }),
  'no-segment': Flags.boolean({helpGroup: CACHE, description: 'keep no segment in /dev/shm'}),
  'verify-kv': Flags.boolean({helpGroup: CACHE, description: 'check every KV row before each token; slow'}),

  timing: Flags.option({
    helpGroup: TIME,
    description: 'how long steps take (default roofline; constant where --ttft-ms or --itl-ms is given)',
    options: ['constant', 'linear', 'roofline'] as const,
  })(),
  'gpu-type': Flags.string({
    helpGroup: TIME,
    description: 'GPU whose arithmetic and bandwidth bound the roofline',
    default: 'H100',
  }),
  'tensor-parallel-size': count(TIME, 'GPUs that share every layer', 1, 1),
  'ttft-ms': number({helpGroup: TIME, description: "constant: a prompt's last step"}),
  'itl-ms': number({helpGroup: TIME, description: 'constant: every other step'}),
  speedup: number({helpGroup: TIME, description: 'divides all simulated times', default: 1}),
  jitter: number({helpGroup: TIME, description: 'relative standard deviation of a step', default: 0}),
  seed: Flags.integer({
    helpGroup: TIME,
    description: 'of jitter, injected faults, and answers whose request names no seed',
    default: 0,
  }),
  'inject-error-rate': share(FAULTS, 'share of requests answered with 500'),
  'inject-429-rate': share(FAULTS, 'share of requests answered with 429'),
  'inject-cut-rate': share(FAULTS, 'share of streams whose connection breaks'),
  'inject-stall-rate': share(FAULTS, 'share of streams that fall silent for --inject-stall-time'),
  'inject-stall-time': durationFlag({
    helpGroup: FAULTS,
    description: 'length of such a silence',
    default: 2000,
    defaultHelp: async () => '2s',
  }),
  'inject-spike-rate': share(FAULTS, 'share of requests that wait --inject-spike-time before they start'),
  'inject-spike-time': durationFlag({
    helpGroup: FAULTS,
    description: 'length of such a wait',
    default: 500,
    defaultHelp: async () => '500ms',
  }),
  'mean-answer-tokens': count(TIME, 'mean length of answers that may end by themselves', 1, 256),
}

type Parsed = Interfaces.InferredFlags<typeof engineFlags>

/** @param model the positional, which vLLM also takes */
export function toEngineFlags(flags: Parsed, model: string | undefined): EngineFlags {
  if (flags.speedup === 0) throw new ConfigurationError('USAGE', '--speedup must be more than 0')
  return {
    model: model ?? flags.model,
    servedModelNames: flags['served-model-name'] ?? [],
    maxModelLen: flags['max-model-len'],
    blockSize: flags['block-size'],
    numGpuBlocks: flags['num-gpu-blocks-override'],
    maxNumSeqs: flags['max-num-seqs'],
    maxNumBatchedTokens: flags['max-num-batched-tokens'],
    longPrefillTokenThreshold: flags['long-prefill-token-threshold'],
    enablePrefixCaching: flags['enable-prefix-caching'],
    enableChunkedPrefill: flags['enable-chunked-prefill'],
    schedulingPolicy: flags['scheduling-policy'],
    seed: flags.seed,
    timing: flags.timing,
    ttftMs: flags['ttft-ms'],
    itlMs: flags['itl-ms'],
    gpuType: flags['gpu-type'],
    tensorParallelSize: flags['tensor-parallel-size'],
    kvCacheDtype: flags['kv-cache-dtype'],
    speedup: flags.speedup,
    jitter: flags.jitter,
    meanAnswerTokens: flags['mean-answer-tokens'],
    verifyKv: flags['verify-kv'],
  }
}

/** The keys `/v1` asks for; a server for other machines needs one, or the word that it shall be open. */
export function apiKeysFor(flags: Parsed, environment: NodeJS.ProcessEnv): readonly string[] {
  const fromEnvironment = environment['VLLM_API_KEY']
  const keys = flags['api-key'] ?? (fromEnvironment ? [fromEnvironment] : [])
  checkMayListen(flags.host, keys.length > 0, flags['no-auth'], [
    '--api-key KEY, or set VLLM_API_KEY',
    '--no-auth if that is what you want',
  ])
  return keys
}

/** @throws ConfigurationError when more than every request would go wrong */
export function faultRates(flags: Parsed): FaultRates {
  const rates: FaultRates = {
    error: flags['inject-error-rate'],
    tooMany: flags['inject-429-rate'],
    cut: flags['inject-cut-rate'],
    stall: flags['inject-stall-rate'],
    stallMs: flags['inject-stall-time'],
    spike: flags['inject-spike-rate'],
    spikeMs: flags['inject-spike-time'],
  }
  const sum = rates.error + rates.tooMany + rates.cut + rates.stall + rates.spike
  if (sum <= 1) return rates
  throw new ConfigurationError('USAGE', `the --inject-…-rate flags add up to ${sum}, which is more than 1`)
}
