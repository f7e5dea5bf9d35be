import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {Config, Plugin, type Command} from '@oclif/core'
import {expect} from 'chai'
import {readRepositoryFile, repositoryRoot, runCli} from '../support/cli.js'

/** What scripts rely on: names, arguments, flags, what each takes and whether it must be there. */
function promises(commands: readonly Command.Loadable[]): unknown {
  const visible = commands.filter(({hidden}) => !hidden).sort((a, b) => a.id.localeCompare(b.id))
  return Object.fromEntries(
    visible.map(({id, args, flags}) => {
      const named = Object.values(flags).sort((a, b) => a.name.localeCompare(b.name))
      return [
        id.replaceAll(':', ' '),
        {
          args: Object.values(args).map(arg => `${arg.name}${arg.required ? ' required' : ''}`),
          flags: Object.fromEntries(named.map(flag => [flag.name, flagPromise(flag)])),
        },
      ]
    }),
  )
}

function flagPromise(flag: Command.Flag.Cached): string {
  const words: (string | false | undefined)[] = [
    flag.type,
    flag.char && `-${flag.char}`,
    flag.required && 'required',
  ]
  if (flag.type === 'boolean') words.push(flag.allowNo && 'negatable')
  else words.push(flag.multiple && 'multiple', flag.options?.join('|'))
  return words.filter(Boolean).join(' ')
}

describe('the commands', () => {
  let config: Config

  before(async () => {
    config = await Config.load(repositoryRoot)
  })

  it('are those of the snapshot: a change here is a change to a promise', () => {
    const file = 'test/contract/commands.json'
    const now = `${JSON.stringify(promises(config.commands), null, 2)}\n`
    if (process.env['KVCTL_UPDATE_SNAPSHOTS']) writeFileSync(join(repositoryRoot, file), now)
    expect(JSON.parse(now)).to.deep.equal(JSON.parse(readRepositoryFile(file)))
  })

  it('stand in the manifest as they are in the code', async () => {
    const plugin = new Plugin({
      root: repositoryRoot,
      type: 'core',
      ignoreManifest: true,
      errorOnManifestCreate: true,
    })
    await plugin.load()
    const manifest = JSON.parse(readRepositoryFile('oclif.manifest.json')) as unknown
    expect(JSON.parse(JSON.stringify(plugin.manifest))).to.deep.equal(manifest)
  })

  it('each have a summary and examples, and stand in --help and the README', async () => {
    const help = (await runCli(['--help'])).stdout
    const readme = readRepositoryFile('README.md')
    for (const {id, hidden, summary, examples} of config.commands) {
      if (hidden) continue
      expect(summary, `summary of ${id}`).to.be.a('string')
      expect(examples?.length, `examples of ${id}`).to.be.greaterThan(0)
      expect(help).to.match(new RegExp(`^  ${id.split(':')[0]!}\\b`, 'm'))
      if (id !== 'help') expect(readme, `README on ${id}`).to.include(`kvctl ${id.replaceAll(':', ' ')}`)
    }
  })

  it('each take --log-level, and say so', () => {
    for (const {id, hidden, flags} of config.commands)
      if (!hidden) expect(flags, id).to.have.property('log-level')
  })

  it('that do not exist are a usage mistake with the nearest name, in text and JSON', async () => {
    const text = await runCli(['completio'])
    expect(text).to.include({code: 2, stdout: ''})
    expect(text.stderr).to.equal(
      "Error: 'completio' is not a kvctl command\n  Try: kvctl completion\n  Try: kvctl --help\n",
    )
    const json = await runCli(['completio', '--json'])
    expect(json).to.include({code: 2, stderr: ''})
    expect(JSON.parse(json.stdout)).to.have.nested.property('error.code', 'UNKNOWN_COMMAND')
  })

  it('answer a bad flag with one line, the next step and 2', async () => {
    const {code, stdout, stderr} = await runCli(['completion', 'bash', '--nope'])
    expect({code, stdout}).to.deep.equal({code: 2, stdout: ''})
    expect(stderr).to.equal('Error: Nonexistent flag: --nope\n  Try: kvctl completion --help\n')
  })
})
