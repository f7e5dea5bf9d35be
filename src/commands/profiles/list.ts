import {KvctlCommand} from '../../cli/kvctl-command.js'

interface ListedProfile {
  readonly name: string
  readonly description: string | null
  readonly pattern: string | null
  readonly requests: number | null
  readonly concurrency: number | null
  readonly max_tokens: number | null
  readonly path: string
}

export default class ProfilesList extends KvctlCommand {
  static override summary = 'list the benchmark profiles that come with kvctl'
  static override examples = ['<%= config.bin %> <%= command.id %>']
  static override enableJsonFlag = true

  async run(): Promise<ListedProfile[]> {
    await this.parse(ProfilesList)
    const {inspectProfile, shippedProfiles} = await import('../../lib/profiles/index.js')
    const listed = await Promise.all(
      (await shippedProfiles()).map(async (name): Promise<ListedProfile> => {
        const {profile, path} = await inspectProfile(name)
        const {pattern, requests, concurrency} = profile.load_test
        return {
          name,
          description: profile.metadata.description ?? null,
          pattern: pattern ?? null,
          requests: requests ?? null,
          concurrency: concurrency ?? null,
          max_tokens: profile.request.max_tokens ?? null,
          path,
        }
      }),
    )
    const width = Math.max(...listed.map(({name}) => name.length))
    for (const {name, description} of listed)
      this.log(`${name.padEnd(width)}  ${description ?? ''}`.trimEnd())
    return listed
  }
}
