import {Args, Flags} from '@oclif/core'
import {KvctlCommand} from '../../cli/kvctl-command.js'
import {ConfigurationError} from '../../lib/foundation/index.js'
import type {Finding} from '../../lib/profiles/index.js'

interface Validity {
  readonly name: string
  readonly path: string
  readonly is_valid: true
  readonly unknown_keys: readonly string[]
  readonly warnings: readonly Finding[]
}

export default class ProfilesValidate extends KvctlCommand {
  static override summary = 'check a benchmark profile'
  static override description = `Warnings and errors go to stderr, each with file and line or rule. Leaves with 2 when the file cannot be read as a profile, with 5
when it breaks a rule.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> mine.yaml',
    '<%= config.bin %> <%= command.id %> --profile runners/profiles/standard.yaml --gpu-memory-gb 24',
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
  }

  async run(): Promise<Validity> {
    const {args, flags} = await this.parse(ProfilesValidate)
    const name = flags.profile ?? args.profile
    if (name === undefined || (flags.profile !== undefined && args.profile !== undefined)) {
      throw new ConfigurationError('USAGE', 'name one profile', {suggestions: ['kvctl profiles list']})
    }
    const {inspectProfile, requireSound} = await import('../../lib/profiles/index.js')
    const inspected = await inspectProfile(name, {gpuMemoryGb: flags['gpu-memory-gb'] ?? null})
    const {profile, path, unknownKeys, findings} = inspected
    const warnings = findings.filter(({level}) => level === 'warning')
    for (const line of [...unknownKeys, ...warnings.map(({message}) => `${path}: ${message}`)]) {
      this.note(`Warning: ${line}`)
    }
    requireSound(inspected)
    this.log(`${path}: passed`)
    return {name: profile.metadata.name, path, is_valid: true, unknown_keys: unknownKeys, warnings}
  }
}
