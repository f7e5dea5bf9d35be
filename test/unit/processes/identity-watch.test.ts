import {mkdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {createIdentityWatch} from '../../../src/lib/processes/index.js'
import {temporaryFolder} from '../../support/temporary.js'

const STAT = `42 (python3) ${Array.from({length: 25}, (_, index) => index).join(' ')}`

describe('an eye on who processes are', () => {
  const folder = temporaryFolder()
  let nowNs = 0
  const clock = {nowNs: () => nowNs}
  const become = (command: string): void => {
    mkdirSync(join(folder(), '42'), {recursive: true})
    const files = {comm: 'python3\n', cmdline: `${command}\0`, status: 'Uid:\t0\t0\n', stat: STAT, cgroup: ''}
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder(), '42', name), text)
  }
  const live = (namespace: string): void => {
    mkdirSync(join(folder(), 'self/ns'), {recursive: true})
    symlinkSync(namespace, join(folder(), 'self/ns/pid'))
  }

  it('tells again what it read until that is too old', async () => {
    live('pid:[4026531836]')
    become('vllm')
    const watch = createIdentityWatch(clock, folder(), 5000)
    const command = async (): Promise<string | null | undefined> =>
      (await watch.of(new Set([42])))!.get(42)?.command
    expect(await command()).to.equal('vllm')
    become('sglang')
    nowNs += 4.9e9
    expect(await command()).to.equal('vllm')
    nowNs += 0.1e9
    expect(await command()).to.equal('sglang')
  })

  it('reads a process anew when nobody asked for it in between, and leaves out one that is gone', async () => {
    live('pid:[4026531836]')
    become('vllm')
    const watch = createIdentityWatch(clock, folder(), 5000)
    await watch.of(new Set([42]))
    await watch.of(new Set())
    rmSync(join(folder(), '42'), {recursive: true})
    expect([...(await watch.of(new Set([42])))!.keys()]).to.deep.equal([])
  })

  it('knows nobody where process numbers are not the host’s', async () => {
    live('pid:[4026532000]')
    expect(await createIdentityWatch(clock, folder()).of(new Set([42]))).to.equal(null)
  })
})
