import {readFile} from 'node:fs/promises'
import {Args} from '@oclif/core'
import {KvctlCommand} from '../../cli/kvctl-command.js'
import type {Profile} from '../../lib/profiles/index.js'

export default class ProfilesShow extends KvctlCommand {
  static override summary = 'print a benchmark profile'
  static override description =
    'Prints the file as it is; with --json, the profile as kvctl reads it: both spellings in one form, nulls left out.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> standard',
    {
      description: 'a profile of your own to begin with',
      command: '<%= config.bin %> <%= command.id %> standard > mine.yaml',
    },
  ]
  static override enableJsonFlag = true
  static override args = {
    profile: Args.string({
      description: 'a shipped profile such as standard, or the path of a YAML file',
      required: true,
      ignoreStdin: true,
    }),
  }

  async run(): Promise<Profile> {
    const {args} = await this.parse(ProfilesShow)
    const {inspectProfile} = await import('../../lib/profiles/index.js')
    const {profile, path} = await inspectProfile(args.profile)
    this.log((await readFile(path, 'utf8')).trimEnd())
    return profile
  }
}
