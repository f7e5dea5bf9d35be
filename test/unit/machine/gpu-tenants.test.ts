import {mkdirSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {systemClock} from '../../../src/lib/foundation/index.js'
import type {GpuProcess, GpusLook} from '../../../src/lib/gpu/index.js'
import {unreadGpu} from '../../../src/lib/gpu/gpu-session.js'
import {identifyTenants, type GpuTenant} from '../../../src/lib/machine/index.js'
import {createIdentityWatch} from '../../../src/lib/processes/index.js'
import type {OwnedLook} from '../../../src/lib/segments/index.js'
import {temporaryFolder} from '../../support/temporary.js'

const ID = 'ab'.repeat(32)
const process = (pid: number): GpuProcess => ({
  pid,
  kinds: ['compute'],
  usedBytes: 100,
  gpuInstanceId: null,
  computeInstanceId: null,
  smPercent: 5,
})
const driver = {
  state: 'ok',
  problem: null,
  driverVersion: null,
  nvmlVersion: null,
  cudaVersion: null,
} as const
const look: GpusLook = {
  takenAtMs: 0,
  tookMs: 0,
  driver,
  gpus: [
    {...unreadGpu(0, 'ok', 'no_data'), processes: [process(42), process(43)]},
    unreadGpu(1, 'lost', 'gpu_lost'),
  ],
}
const segment = {name: 'vllm-0', state: {pid: 42}} as unknown as OwnedLook

describe('the processes of GPUs', () => {
  const folder = temporaryFolder()
  const tenants = async (namespace: string): Promise<(readonly GpuTenant[] | null)[]> => {
    mkdirSync(join(folder(), 'self/ns'), {recursive: true})
    symlinkSync(namespace, join(folder(), 'self/ns/pid'))
    mkdirSync(join(folder(), '42'))
    const files = {
      comm: 'VLLM::EngineCor\n',
      cmdline: 'VLLM::EngineCore\0',
      status: 'Uid:\t1000\t1000\n',
      stat: `42 (VLLM::EngineCor) ${Array.from({length: 25}, (_, index) => index).join(' ')}`,
      cgroup: `0::/docker/${ID}\n`,
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder(), '42', name), text)
    return (await identifyTenants(look, [segment], createIdentityWatch(systemClock, folder()))).gpus.map(
      ({processes}) => processes,
    )
  }

  it('are joined with name, command, user, container and the segment they own', async () => {
    const [rows, lost] = await tenants('pid:[4026531836]')
    expect(rows![0]).to.deep.equal({
      ...process(42),
      name: 'VLLM::EngineCor',
      command: 'VLLM::EngineCore',
      userId: 1000,
      startTicks: 19,
      containerId: ID,
      podUid: null,
      role: {engine: 'vllm', role: 'engine_core', rank: null},
      segment: 'vllm-0',
      unidentified: null,
    })
    expect(rows![1]).to.include({pid: 43, name: null, segment: null, unidentified: 'process_gone'})
    expect(lost, 'of a GPU that does not tell them').to.equal(null)
  })

  it('are not taken for others that have their numbers in a container', async () => {
    const [rows] = await tenants('pid:[4026532999]')
    expect(rows![0]).to.include({
      pid: 42,
      name: null,
      segment: null,
      unidentified: 'pid_namespace',
      usedBytes: 100,
    })
  })
})
