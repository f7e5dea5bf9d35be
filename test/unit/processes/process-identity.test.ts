import {mkdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {originOfCgroup, readProcessIdentity, seesHostPids} from '../../../src/lib/processes/index.js'
import {temporaryFolder} from '../../support/temporary.js'

const ID = '0123456789abcdef'.repeat(4)
const POD = '11111111-2222-3333-4444-555555555555'

describe('where a process runs', () => {
  for (const [what, text, containerId, podUid] of [
    ['docker with control groups 1', `12:cpu:/docker/${ID}\n`, ID, null],
    ['docker under systemd', `0::/system.slice/docker-${ID}.scope\n`, ID, null],
    ['podman', `0::/machine.slice/libpod-${ID}.scope/container\n`, ID, null],
    [
      'containerd in a pod',
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD.replaceAll('-', '_')}.slice/cri-containerd-${ID}.scope\n`,
      ID,
      POD,
    ],
    ['a pod without systemd', `4:memory:/kubepods/besteffort/pod${POD}/${ID}\n`, ID, POD],
    [
      'CRI-O in a pod',
      `0::/kubepods.slice/kubepods-pod${POD.replaceAll('-', '_')}.slice/crio-${ID}.scope\n`,
      ID,
      POD,
    ],
    ['no container', '0::/user.slice/user-1000.slice/session-2.scope\n', null, null],
    ['too short an id', `0::/docker/${ID.slice(1)}\n`, null, null],
    ['too long an id', `0::/docker/${ID}0\n`, null, null],
  ] as const) {
    it(`is read from the path of ${what}`, () => {
      expect(originOfCgroup(text)).to.deep.equal({containerId, podUid})
    })
  }
})

describe('who a process is', () => {
  const folder = temporaryFolder()
  const put = (pid: number, files: Readonly<Record<string, string>>): void => {
    mkdirSync(join(folder(), String(pid)))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder(), String(pid), name), text)
  }
  const after = (count: number): string => Array.from({length: count}, (_, index) => index).join(' ')

  it('is its name, command, user, start and container', async () => {
    put(42, {
      comm: 'VLLM::EngineCor\n',
      cmdline: 'python3\0-m\0vllm serve\0\0',
      status: 'Name:\tx\nUid:\t1000\t1001\t1000\t1000\n',
      // Field 22 is the twentieth after the name; these count from 0.
      stat: `42 (a) b) ${after(25)}`,
      cgroup: `0::/docker/${ID}\n`,
    })
    expect(await readProcessIdentity(42, folder())).to.deep.equal({
      name: 'VLLM::EngineCor',
      command: 'python3 -m vllm serve',
      userId: 1000,
      startTicks: 19,
      containerId: ID,
      podUid: null,
    })
  })

  it('is read of this very process', async () => {
    const identity = await readProcessIdentity(process.pid)
    expect(identity!.name).to.equal(readFileSync('/proc/self/comm', 'utf8').trim())
    expect(identity!.userId).to.equal(process.getuid!())
    expect(identity!.command).to.contain('mocha')
    expect(identity!.startTicks).to.be.greaterThan(0)
  })

  it('has no command where a kernel thread has none, and is nobody when it is gone', async () => {
    put(2, {comm: 'kthreadd\n', cmdline: '', status: 'Uid:\t0\t0\n', stat: `2 (kthreadd) ${after(25)}`})
    expect(await readProcessIdentity(2, folder())).to.include({command: null, userId: 0, containerId: null})
    expect(await readProcessIdentity(3, folder())).to.equal(null)
  })

  it('is known by the host’s pids only in the host’s namespace', async () => {
    mkdirSync(join(folder(), 'self/ns'), {recursive: true})
    expect(await seesHostPids(folder())).to.equal(false)
    symlinkSync('pid:[4026532000]', join(folder(), 'self/ns/pid'))
    expect(await seesHostPids(folder())).to.equal(false)
  })

  it('is known there', async () => {
    mkdirSync(join(folder(), 'self/ns'), {recursive: true})
    symlinkSync('pid:[4026531836]', join(folder(), 'self/ns/pid'))
    expect(await seesHostPids(folder())).to.equal(true)
  })
})
