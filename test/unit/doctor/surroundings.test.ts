import {chmodSync, mkdirSync, symlinkSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {expect} from 'chai'
import {gpuTrace, readSurroundings, type Surroundings} from '../../../src/lib/doctor/surroundings.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('what doctor sees of a machine', () => {
  const folder = temporaryFolder()
  const write = (path: string, text = ''): void => {
    mkdirSync(dirname(join(folder(), path)), {recursive: true})
    writeFileSync(join(folder(), path), text)
  }
  const device = (address: string, vendor: string, kind: string): void => {
    write(`sys/bus/pci/devices/${address}/vendor`, `${vendor}\n`)
    write(`sys/bus/pci/devices/${address}/class`, `${kind}\n`)
  }
  const read = async (environment: NodeJS.ProcessEnv = {}): Promise<Surroundings> =>
    readSurroundings({root: folder(), environment})

  it('is nothing where there is nothing', async () => {
    const seen = await read()
    expect(seen).to.deep.include({pciGpus: null, nodes: [], kernelDriver: null, container: null})
    expect(gpuTrace(seen)).to.equal(null)
  })

  it('is NVIDIA’s displays and accelerators on the bus, not its audio or other vendors', async () => {
    device('0000:3b:00.0', '0x10de', '0x030200')
    device('0000:3b:00.1', '0x10de', '0x040300')
    device('0000:00:02.0', '0x8086', '0x030000')
    const seen = await read()
    expect(seen.pciGpus).to.deep.equal(['0000:3b:00.0'])
    expect(gpuTrace(seen)).to.equal('there is an NVIDIA GPU at 0000:3b:00.0')
  })

  it('is the kernel module, what it restricts, and the nodes with their rights', async () => {
    write(
      'proc/driver/nvidia/version',
      'NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.163.01  Tue\nGCC version: x\n',
    )
    write('proc/driver/nvidia/params', 'RmProfilingAdminOnly: 1\n')
    for (const name of ['nvidia0', 'nvidiactl', 'nvidia-uvm', 'null']) write(`dev/${name}`)
    chmodSync(join(folder(), 'dev/nvidia0'), 0o640)
    const seen = await read()
    expect(seen).to.include({kernelDriver: '550.163.01', isProfilingRestricted: true})
    expect(seen.nodes.map(({name, mode}) => `${name} ${mode}`)).to.deep.equal([
      ...['nvidia-uvm 0644', 'nvidia0 0640', 'nvidiactl 0644'],
    ])
  })

  it('reads the open module’s version too', async () => {
    write(
      'proc/driver/nvidia/version',
      'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release\n',
    )
    expect((await read()).kernelDriver).to.equal('575.57.08')
  })

  it('is a pod, another container, or none, and what the runtime was told', async () => {
    expect((await read({KUBERNETES_SERVICE_HOST: '10.0.0.1'})).container).to.equal('kubernetes')
    write('.dockerenv')
    const environment = {NVIDIA_VISIBLE_DEVICES: 'all', NVIDIA_DRIVER_CAPABILITIES: 'compute'}
    expect(await read(environment)).to.include({
      container: 'other',
      visibleDevices: 'all',
      capabilities: 'compute',
    })
    expect(gpuTrace(await read({NVIDIA_VISIBLE_DEVICES: 'void'}))).to.equal(null)
    expect(gpuTrace(await read(environment))).to.equal('NVIDIA_VISIBLE_DEVICES is all')
  })

  it('is whether process numbers are the host’s', async () => {
    mkdirSync(join(folder(), 'proc/self/ns'), {recursive: true})
    symlinkSync('pid:[4026531836]', join(folder(), 'proc/self/ns/pid'))
    expect((await read()).seesHostPids).to.equal(true)
  })
})
