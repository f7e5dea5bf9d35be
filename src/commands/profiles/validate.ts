import {Args, Flags} from '@oclif/core'
import {KvctlCommand} from '../../cli/kvctl-command.js'
import {ConfigurationError} from '../../lib/foundation/index.js'
import type {Finding, KnownModel} from '../../lib/profiles/index.js'

interface Validity {
  readonly name: string
  readonly path: string
  readonly is_valid: true
  readonly unknown_keys: readonly string[]
  readonly warnings: readonly Finding[]
  /** null unless `--model` names one. */
  readonly kv_cache_estimate: {
    readonly model: string
    readonly tokens: number
    readonly bytes_per_token: number
    readonly bytes: number
  } | null
}

export default class ProfilesValidate extends KvctlCommand {
  static override summary = 'check a benchmark profile'
  static override description = `Warnings and errors go to stderr, each with file and line or rule. Leaves with 2 when the file cannot be read as a profile, with 5
when it breaks a rule. With --model it estimates the KV cache that the load holds when every request is at its longest
(concurrency times prompt and max_tokens), and with --gpu-memory-gb checks that weights and KV cache fit.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> mine.yaml',
    '<%= config.bin %> <%= command.id %> --profile runners/profiles/standard.yaml --gpu-memory-gb 24',
    '<%= config.bin %> <%= command.id %> burst --model Llama-3.1-8B --gpu-memory-gb 24 --prompt-tokens 2000',
  ]
  static override aliases = ['validate']
  static override enableJsonFlag = true
  static override args = {
    profile: Args.string({
      description: 'a shipped profile such as standard, or the path of a YAML file',
      ignoreStdin: true,
    }),
  }
  static override flags = {
    profile: Flags.string({description: 'the same as the argument', helpValue: 'PROFILE'}),
    'gpu-memory-gb': Flags.integer({
      description: "memory of one GPU, to check that the model's weights fit",
      min: 1,
      helpValue: 'GB',
    }),
    model: Flags.string({
      description: 'a model that kvctl engine knows, or its config.json, to estimate the KV cache',
      helpValue: 'NAME|PATH',
    }),
    'prompt-tokens': Flags.integer({
      description: 'length of the prompts in that estimate',
      default: 128,
      min: 1,
      helpValue: 'TOKENS',
    }),
  }

  async run(): Promise<Validity> {
    const {args, flags} = await this.parse(ProfilesValidate)
    const name = flags.profile ?? args.profile
    if (name === undefined || (flags.profile !== undefined && args.profile !== undefined)) {
      throw new ConfigurationError('USAGE', 'name one profile', {suggestions: ['kvctl profiles list']})
    }
    const {gib, inspectProfile, kvNeed, requireSound} = await import('../../lib/profiles/index.js')
    const model = flags.model === undefined ? null : await knownModel(flags.model)
    const promptTokens = flags['prompt-tokens']
    const inspected = await inspectProfile(name, {
      gpuMemoryGb: flags['gpu-memory-gb'] ?? null,
      ...{model, promptTokens},
    })
    const {profile, path, unknownKeys, findings} = inspected
    const warnings = findings.filter(({level}) => level === 'warning')
    for (const line of [...unknownKeys, ...warnings.map(({message}) => `${path}: ${message}`)]) {
      this.note(`Warning: ${line}`)
    }
    requireSound(inspected)
    this.log(`${path}: passed`)
    const need = model === null ? null : {model: model.name, ...kvNeed(profile, model, promptTokens)}
    if (need) {
      const {tokens, bytes, bytesPerToken} = need
      this.log(`KV cache: ${gib(bytes)} for ${tokens} tokens of ${need.model}, ${bytesPerToken} bytes each`)
    }
    return {
      ...{name: profile.metadata.name, path, is_valid: true, unknown_keys: unknownKeys, warnings},
      kv_cache_estimate: need && {
        model: need.model,
        tokens: need.tokens,
        bytes_per_token: need.bytesPerToken,
        bytes: need.bytes,
      },
    }
  }
}

/** @throws ConfigurationError `MODEL_UNKNOWN`, `MODEL_CONFIG_UNREADABLE`, `MODEL_CONFIG_INVALID` */
async function knownModel(nameOrPath: string): Promise<KnownModel> {
  const {findModel, kvBytesPerToken, modelledWeightBytes, readModelConfig} =
    await import('../../lib/engine/index.js')
  const shape = (await readModelConfig(nameOrPath)) ?? findModel(nameOrPath)
  return {
    name: shape.name,
    weightBytes: modelledWeightBytes(shape, 2),
    kvBytesPerToken: kvBytesPerToken(shape),
  }
}
