import {mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli} from '../support/cli.js'
import {describeWith} from '../support/requires.js'
import {GIB, recordBytes} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'
import {Tmux} from '../support/tmux.js'

const PROMPT = /kvcached>$/

describeWith(['tmux', 'ps'], 'kvctl shell on a real terminal', () => {
  const folder = temporaryFolder()
  let tmux: Tmux
  let env: Record<string, string>

  const type = async (line: string): Promise<void> => {
    tmux.type(line)
    tmux.press('Enter')
  }
  const path = (): string => join(env['KVCTL_SHM_DIR']!, 'vllm-0')

  beforeEach(async () => {
    env = {HOME: folder(), KVCTL_SHM_DIR: join(folder(), 'shm'), KVCTL_STATE_DIR: join(folder(), 'state')}
    mkdirSync(env['KVCTL_SHM_DIR']!)
    writeFileSync(path(), recordBytes(8n * GIB, 6n * GIB))
    tmux = new Tmux({columns: 100, rows: 40, env})
    await tmux.start('shell; echo left with $?')
    await tmux.shows("Entering kvcached shell. Type 'help' for commands, 'exit' to quit.\nkvcached>")
  })
  afterEach(() => tmux.close())

  it('runs one command after another, and goes on when one fails', async () => {
    await type('list')
    await tmux.shows(/vllm-0 +8\.00 GB +6\.00 GB +75\.0 %[^\n]*\nkvcached>$/)
    await type('limit none-such 1G')
    await tmux.shows(/Error: IPC 'none-such' not found\.[\s\S]*\nkvcached>$/)
    await type("limit 'vllm-0' 7G")
    await tmux.shows(/Updated kv cache limit for vllm-0 to 7\.00 GB[\s\S]*kvcached>$/)
    expect(readFileSync(path()).readBigInt64LE(0)).to.equal(7n * GIB)
    await type('lst')
    await tmux.shows(/'lst' is no command\n {2}Try: list[\s\S]*kvcached>$/)
    await type('exit')
    await tmux.shows('left with 0')
  })

  it('completes commands and names, and keeps its history for the next one, for its owner only', async () => {
    tmux.type('del')
    tmux.press('Tab')
    await tmux.shows('kvcached> delete')
    tmux.type('VL')
    tmux.press('Tab')
    await tmux.shows('kvcached> delete vllm-0')
    tmux.press('C-c')
    await tmux.shows(/\^C\nkvcached>$/)
    expect(statSync(path()).size).to.equal(24)
    await type('list vllm-0')
    await tmux.shows(/75\.0 %[^\n]*\nkvcached>$/)
    await type(' list hidden')
    await tmux.shows(/'hidden' not found/)
    tmux.press('C-d')
    await tmux.shows('left with 0')
    const history = join(folder(), '.kvctl_history')
    expect(readFileSync(history, 'utf8')).to.equal('list vllm-0\n')
    expect(statSync(history).mode & 0o777).to.equal(0o600)
    await tmux.start('shell; echo left with $?')
    await tmux.shows(PROMPT)
    tmux.press('Up')
    await tmux.shows(/kvcached> list vllm-0$/)
  })

  it('ends the command that runs on Ctrl-C, and only that', async () => {
    for (let round = 0; round < 2; round++) {
      await type('watch -n 0.1')
      await tmux.shows(/75\.0 %[^\n]*$/)
      tmux.press('C-c')
      await tmux.shows(PROMPT)
    }
    await type('!sleep 100')
    await tmux.shows(/sleep 100$/)
    tmux.press('C-c')
    await tmux.shows(/sleep 100\n(\^C\n?)?kvcached>$/)
    await type('!echo $((40 + 2)) | tr 4 5')
    await tmux.shows(/^52\nkvcached>$/m)
    tmux.press('C-d')
    await tmux.shows('left with 0')
  })

  it('gives the terminal to kvtop and takes it back', async () => {
    await type('kvtop')
    await tmux.shows('[1 Overview]')
    tmux.press('q')
    await tmux.shows(/kvcached> kvtop\nkvcached>$/)
    await type('list')
    await tmux.shows(/75\.0 %[^\n]*\nkvcached>$/)
    expect(tmux.state).to.deep.equal({isAlternate: false, hasCursor: true, hasMouse: false})
    process.kill(tmux.programPid, 'SIGTERM')
    await tmux.shows('left with 0')
  })
})

describe('kvctl alone', () => {
  it('prints help, which names the shell', async () => {
    const {code, stdout} = await runCli([])
    expect(code).to.equal(0)
    expect(stdout).to.contain('$ kvctl shell')
  })
})

describe('kvctl shell on a pipe', () => {
  const folder = temporaryFolder()

  it('runs lines without prompt and history, and no program of the system', async () => {
    writeFileSync(join(folder(), 'vllm-0'), recordBytes(8n * GIB, 6n * GIB))
    const env = {HOME: folder(), KVCTL_SHM_DIR: folder(), KVCTL_STATE_DIR: join(folder(), 'state')}
    const input = 'list --json\n\n# a note\n!touch touched\nlist "open\nlimit vllm-0 1G\nexit\nlist\n'
    const {code, stdout, stderr} = await runCli(['shell'], {env, cwd: folder(), input})
    expect(code).to.equal(0)
    const [json, ...others] = stdout.split('\n]\n')
    expect(JSON.parse(`${json!}]`)).to.have.length(1)
    expect(others.join('')).to.match(
      /^No enough free space.*\nUpdated kv cache limit for vllm-0 to 1\.00 GB.*\n$/,
    )
    expect(stderr).to.match(
      /^Error: '!touch touched' runs only when a person types it\nError: there is no closing "/,
    )
    expect(() => statSync(join(folder(), 'touched'))).to.throw()
    expect(() => statSync(join(folder(), '.kvctl_history'))).to.throw()
  })
})
