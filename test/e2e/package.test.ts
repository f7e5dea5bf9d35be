import {execFile} from 'node:child_process'
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {Config} from '@oclif/core'
import {expect} from 'chai'
import {repositoryRoot} from '../support/cli.js'
import {describeWith} from '../support/requires.js'

const run = promisify(execFile)

describe('the packed and globally installed package', function () {
  this.timeout(180_000)
  let prefix: string
  let kvctl: string

  before(async () => {
    prefix = mkdtempSync(join(tmpdir(), 'kvctl-install-'))
    // `npm pack` by a user builds first; here dist/ was just built, and other tests are using it.
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', prefix], {cwd: repositoryRoot})
    const archive = readdirSync(prefix).find(name => name.endsWith('.tgz'))!
    await run('npm', ['install', '--global', '--prefix', prefix, '--prefer-offline', join(prefix, archive)], {
      cwd: prefix,
    })
    kvctl = join(prefix, 'bin/kvctl')
  })

  after(() => rmSync(prefix, {recursive: true}))

  it('lists every command that exists', async () => {
    const {stdout} = await run(kvctl, ['--help'])
    const {commands} = await Config.load(repositoryRoot)
    const listed = [...stdout.split('COMMANDS')[1]!.matchAll(/^  (\S+)/gm)].map(([, name]) => name)
    const topics = [...stdout.split(/TOPICS|COMMANDS/)[1]!.matchAll(/^  (\S+)/gm)].map(([, name]) => name)
    const expected = commands.filter(({hidden}) => !hidden).map(({id}) => id.split(':')[0])
    expect([...new Set([...listed, ...topics])]).to.have.members([...new Set(expected)])
  })

  it('works away from the repository, under both names', async () => {
    expect((await run(join(prefix, 'bin/kvtop'), ['--once'], {cwd: tmpdir()})).stdout).to.contain(
      'KVCache Memory Usage',
    )
    expect((await run(kvctl, ['list', '--json'], {cwd: tmpdir()})).stdout).to.match(/^\[/)
  })

  it('is a library whose types hold', async () => {
    const program = `import {formatSize, openSegments, parseSize, type SegmentLook} from 'kvctl'
const looks: SegmentLook[] = await (await openSegments()).list()
const bytes: bigint = parseSize('1.5G')
console.log(formatSize(bytes), Array.isArray(looks))
`
    const folder = join(prefix, 'lib')
    writeFileSync(join(folder, 'consumer.mts'), program)
    const tsc = join(repositoryRoot, 'node_modules/typescript/bin/tsc')
    const types = ['--typeRoots', join(repositoryRoot, 'node_modules/@types'), '--types', 'node']
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--skipLibCheck', ...types]
    await run(process.execPath, [tsc, ...options, 'consumer.mts'], {cwd: folder})
    expect((await run(process.execPath, ['consumer.mjs'], {cwd: folder})).stdout).to.equal('1.50 GB true\n')
  })

  describeWith(['bash'], 'in bash', () => {
    const tab = async (...words: string[]): Promise<string[]> => {
      const script = `source <(kvctl completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kvctl; printf '%s\\n' "\${COMPREPLY[@]}"`
      const env = {...process.env, PATH: `${join(prefix, 'bin')}:${process.env['PATH'] ?? ''}`}
      const {stdout} = await run('bash', ['-c', script, 'bash', 'kvctl', ...words], {env})
      return stdout.trim().split('\n')
    }

    it('Tab completes commands, flags and profiles', async () => {
      expect(await tab('lim')).to.deep.equal(['limit', 'limit-percent'])
      expect(await tab('limit', '--w')).to.deep.equal(['--wait'])
      expect(await tab('bench', '--profile', 'cpu')).to.deep.equal(['cpu-smoke'])
    })
  })

  describeWith(['zsh', 'tmux'], 'in zsh', () => {
    it('Tab completes a command on the screen', async () => {
      const session = `kvctl-zsh-${process.pid}`
      const tmux = async (...args: string[]): Promise<string> => (await run('tmux', args)).stdout
      await tmux('new-session', '-d', '-s', session, '-x', '80', '-y', '24', 'zsh -f')
      try {
        const path = `PATH=${join(prefix, 'bin')}:$PATH`
        const setUp = `${path}; autoload -U compinit; compinit -D; source <(kvctl completion zsh); PS1='> '; clear; echo READY`
        await tmux('send-keys', '-t', session, setUp, 'Enter')
        const screen = async (until: RegExp): Promise<string> => {
          for (let attempt = 0; attempt < 100; attempt++) {
            const text = await tmux('capture-pane', '-p', '-t', session)
            if (until.test(text)) return text
            await new Promise(resolve => setTimeout(resolve, 100))
          }
          throw new Error(
            `never saw ${String(until)} on:\n${await tmux('capture-pane', '-p', '-t', session)}`,
          )
        }
        await screen(/^READY$/m)
        await tmux('send-keys', '-t', session, 'kvctl completi', 'Tab')
        expect(await screen(/kvctl completion$/m)).to.not.include('not found')
      } finally {
        await tmux('kill-session', '-t', session)
      }
    })
  })
})
