import {execFileSync} from 'node:child_process'
import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {LARGEST_RECORD_BYTES, processRecordBytes, UNTOUCHED} from '../../src/native/nvml-processes.js'
import {MARKER_SYMBOLS, PROTOTYPES} from '../../src/native/nvml-functions.js'
import {NativeError} from '../../src/native/native-error.js'
import {nvmlError} from '../../src/native/nvml-status.js'
import {readFieldValue, STRUCTS, structVersion, type Struct} from '../../src/native/nvml-structs.js'
import {loadNvml, NVML, NVML_ALL_LINKS, NVML_CLOCK, NVML_EVENT, type Nvml} from '../../src/native/nvml.js'
import {bareDriver, fullGpu, gpuUuid, migGpu, ofGpu} from '../support/nvml/driver-facts.js'
import {NVML_HEADER, standInDriver, type Facts, type StandInDriver} from '../support/nvml/stand-in.js'
import {describeWith, findProgram} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'

const GIB = 2 ** 30
const ONLY_470 = [
  'nvmlDeviceGetMemoryInfo_v2',
  'nvmlDeviceGetComputeRunningProcesses_v3',
  'nvmlDeviceGetGraphicsRunningProcesses_v3',
  'nvmlDeviceGetMPSComputeRunningProcesses_v3',
  'nvmlDeviceGetCurrentClocksEventReasons',
  'nvmlDeviceGetJpgUtilization',
  'nvmlDeviceGetOfaUtilization',
  'nvmlDeviceGetNumaNodeId',
  MARKER_SYMBOLS.confidentialComputing,
  MARKER_SYMBOLS.processDetails,
]
const failureOf = (action: () => unknown): NativeError => {
  try {
    action()
  } catch (error) {
    if (error instanceof NativeError) return error
    throw error
  }
  throw new Error('did not fail')
}

describe('native/nvml without a library', () => {
  it('says what the loader said when there is none, under a status of its own', () => {
    const error = failureOf(() => loadNvml('/nowhere/libnvidia-ml.so.1'))
    expect(error).to.include({syscall: 'dlopen', errno: NVML.libraryNotFound})
    expect(error.message).to.match(/^dlopen: NVML_ERROR_LIBRARY_NOT_FOUND \(12\): .*\/nowhere\/libnvidia-ml/)
  })

  it('has a name and a text for every status of nvml.h, and for one that it has not', () => {
    for (const code of [...Array.from({length: 31}, (_, number) => number), 999]) {
      const error = nvmlError('nvmlInit_v2', code)
      expect(error.code).to.match(/^NVML_(SUCCESS|ERROR_[A-Z_]+)$/)
      expect(error.message).to.match(/: [A-Z].+/)
    }
    expect(nvmlError('f', 15).message).to.equal('f: NVML_ERROR_GPU_IS_LOST (15): GPU is lost')
    expect(nvmlError('f', 77)).to.include({code: 'NVML_ERROR_77', errno: 77})
  })

  it('writes version words as size and number', () => {
    expect(structVersion(STRUCTS.nvmlMemory_v2_t, 2)).to.equal(0x0200_0028)
  })

  it('reads each value type and takes all ones for not available', () => {
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleLE(1.5)
    expect(readFieldValue(bytes, 0, 0)).to.equal(1.5)
    bytes.fill(0xff)
    expect([1, 2, 3, 4, 5, 6, 7].map(type => readFieldValue(bytes, 0, type))).to.deep.equal([
      0xffff_ffff,
      null,
      null,
      -1,
      -1,
      0xffff,
      null,
    ])
  })
})

describe('the length of a process record', () => {
  const written = (count: number, bytes: number): Buffer => {
    const buffer = Buffer.alloc((2 * count + 5) * LARGEST_RECORD_BYTES, UNTOUCHED)
    buffer.fill(0, 0, count * bytes)
    return buffer
  }
  for (const bytes of [16, 24, 32]) {
    it(`is ${bytes} where the driver wrote ${bytes} bytes for each process`, () => {
      for (const count of [1, 2, 3, 4, 7, 64])
        expect(processRecordBytes(written(count, bytes), count, 0)).to.equal(bytes)
    })
  }

  it('is what was assumed where the traces fit no known length', () => {
    expect(processRecordBytes(written(2, 30), 2, 24)).to.equal(24)
  })
})

describeWith(['gcc|cc'], 'native/nvml beside C', () => {
  const folder = temporaryFolder()
  const drive = (facts: Facts, without?: readonly string[]): {nvml: Nvml; driver: StandInDriver} => {
    const driver = standInDriver(folder(), facts, without)
    process.env['KVCTL_TEST_NVML_FILE'] = driver.env['KVCTL_TEST_NVML_FILE']
    const nvml = loadNvml(driver.library)
    nvml.init()
    return {nvml, driver}
  }
  afterEach(() => delete process.env['KVCTL_TEST_NVML_FILE'])

  it('has the sizes and offsets that a C compiler gives each struct', () => {
    const structs: [string, Struct][] = Object.entries(STRUCTS)
    const facts = structs.flatMap(([type, {fields}]) => [
      `sizeof(${type})`,
      ...Object.keys(fields).map(field => `offsetof(${type}, ${field})`),
      ...Object.keys(fields).map(field => `sizeof(((${type} *)0)->${field})`),
    ])
    const ours = structs.flatMap(([, {bytes, fields}]) => {
      const places = Object.values(fields)
      const sizes = places.map(([offset, type]) => {
        if (type !== 'text') return type === 'u64' ? 8 : 4
        return Math.min(bytes, ...places.map(([at]) => at).filter(at => at > offset)) - offset
      })
      return [bytes, ...places.map(([offset]) => offset), ...sizes]
    })
    const source = join(folder(), 'facts.c')
    writeFileSync(
      source,
      `#include <stddef.h>\n#include <stdio.h>\n#include "${NVML_HEADER}"\nint main(void) {\n` +
        `${facts.map(fact => `  printf("%zu\\n", ${fact});`).join('\n')}\n  return 0;\n}\n`,
    )
    execFileSync(findProgram('gcc', 'cc')!, [source, '-o', join(folder(), 'facts')])
    const theirs = execFileSync(join(folder(), 'facts'), {encoding: 'utf8'}).trim().split('\n').map(Number)
    expect(facts.map((fact, index) => `${fact} = ${ours[index]}`)).to.deep.equal(
      facts.map((fact, index) => `${fact} = ${theirs[index]}`),
    )
  })

  it('asks for no function that the stand-in does not have', () => {
    const source = readFileSync(NVML_HEADER.replace('nvml-abi.h', 'stand-in.c'), 'utf8')
    const base = (symbol: string): string => symbol.replace(/RunningProcesses_v\d$/, 'RunningProcesses')
    expect(Object.keys(PROTOTYPES).filter(symbol => !source.includes(base(symbol)))).to.deep.equal([])
  })

  it('reads every figure of a GPU that gives all of them', () => {
    const {nvml} = drive({...bareDriver(2), ...fullGpu(1)})
    expect(nvml.driverVersion()).to.equal('550.163.01')
    expect(nvml.nvmlVersion()).to.equal('12.550.163.01')
    expect(nvml.cudaDriverVersion()).to.equal(12040)
    expect(nvml.deviceCount()).to.equal(2)
    const gpu = nvml.deviceByIndex(1)
    expect(nvml.deviceByUuid(gpuUuid(1))).to.equal(gpu)
    expect(nvml.deviceName(gpu)).to.equal('NVIDIA H100 80GB HBM3')
    expect(nvml.deviceUuid(gpu)).to.equal(gpuUuid(1))
    expect(nvml.pciInfo(gpu)).to.include({busId: '00000000:3C:00.0', bus: 0x3c, busIdLegacy: '0000:3C:00.0'})
    expect(nvml.computeCapability(gpu)).to.deep.equal([9, 0])
    const reserved = 600 * 2 ** 20
    expect(nvml.memoryInfo(gpu)).to.deep.equal({
      total: 80 * GIB,
      free: 40 * GIB - reserved,
      used: 40 * GIB + reserved,
    })
    expect(nvml.memoryInfoV2(gpu)).to.include({reserved, used: 40 * GIB, free: 40 * GIB - reserved})
    expect(nvml.bar1MemoryInfo(gpu).bar1Used).to.equal(GIB)
    expect(nvml.utilizationRates(gpu)).to.deep.equal({gpu: 85, memory: 43})
    expect(nvml.encoderUtilization(gpu)).to.equal(5)
    expect(nvml.ofaUtilization(gpu)).to.equal(8)
    expect(nvml.temperature(gpu)).to.equal(61)
    expect(nvml.temperatureThreshold(gpu, 1)).to.equal(89)
    expect(nvml.powerUsage(gpu)).to.equal(412_500)
    expect(nvml.totalEnergyConsumption(gpu)).to.equal(123_456_789)
    expect(nvml.clock(gpu, NVML_CLOCK.memory)).to.equal(2619)
    expect(nvml.clocksEventReasons(gpu)).to.equal(0x44)
    expect(nvml.eccMode(gpu)).to.deep.equal({current: 1, pending: 1})
    expect(nvml.totalEccErrors(gpu, 1, 0)).to.equal(12)
    expect(nvml.remappedRows(gpu)).to.deep.equal({
      corrected: 2,
      uncorrected: 1,
      isPending: true,
      hasFailed: false,
    })
    expect(nvml.fieldValues(gpu, [[82], [138, NVML_ALL_LINKS], [999]])).to.deep.equal([
      {status: 0, value: 73},
      {status: 0, value: 1000},
      {status: 3, value: null},
    ])
    expect(nvml.processes(gpu, 'compute')).to.deep.equal([
      {pid: 4242, usedBytes: 40 * GIB, gpuInstanceId: null, computeInstanceId: null},
    ])
    expect(nvml.processes(gpu, 'graphics')).to.deep.equal([])
    expect(nvml.processUtilization(gpu, 0)).to.deep.equal([
      {pid: 4242, timeStamp: 1_000_000, smUtil: 83, memUtil: 41, encUtil: 0, decUtil: 0},
    ])
    expect(nvml.processUtilization(gpu, 1_000_000)).to.deep.equal([])
  })

  it('names call, number and meaning of what a GPU does not tell', () => {
    const {nvml} = drive({...bareDriver(1), 'gpu.0.nvmlDeviceGetFanSpeed': '!3'})
    const error = failureOf(() => nvml.fanSpeed(nvml.deviceByIndex(0)))
    expect(error).to.include({syscall: 'nvmlDeviceGetFanSpeed', errno: NVML.notSupported})
    expect(error.message).to.contain('NVML_ERROR_NOT_SUPPORTED (3): Not Supported')
  })

  it('takes a missing function for a missing feature, and an older one where there is one', () => {
    const facts = {
      ...bareDriver(1),
      ...fullGpu(0),
      ...ofGpu(0, {nvmlDeviceGetCurrentClocksThrottleReasons: 1}),
    }
    const {nvml} = drive(facts, ONLY_470)
    const gpu = nvml.deviceByIndex(0)
    expect(failureOf(() => nvml.memoryInfoV2(gpu))).to.include({errno: NVML.functionNotFound})
    expect(failureOf(() => nvml.ofaUtilization(gpu))).to.include({errno: NVML.functionNotFound})
    expect(nvml.memoryInfo(gpu).total).to.equal(80 * GIB)
    expect(nvml.clocksEventReasons(gpu)).to.equal(1)
    expect(nvml.processes(gpu, 'compute').map(({pid}) => pid)).to.deep.equal([4242])
  })

  const processes = '100:1024:3:0 200:-1:4294967295:-1 300:4096:-1:-1'
  const WITH_INSTANCES = [
    {pid: 100, usedBytes: 1024, gpuInstanceId: 3, computeInstanceId: 0},
    {pid: 200, usedBytes: null, gpuInstanceId: null, computeInstanceId: null},
    {pid: 300, usedBytes: 4096, gpuInstanceId: null, computeInstanceId: null},
  ]
  const without = (pattern: RegExp): string[] =>
    Object.keys(PROTOTYPES).filter(symbol => pattern.test(symbol))
  for (const [branch, bytes, missing] of [
    ['550', 24, []],
    ['535.43', 32, [MARKER_SYMBOLS.processDetails]],
    ['535.98, without _v3', 24, without(/RunningProcesses_v3$/)],
    ['470', 24, ONLY_470],
    ['a branch without any version', 16, without(/RunningProcesses_v[23]$/)],
    ['a _v3 that writes 16', 16, []],
  ] as const) {
    it(`lists the processes of ${branch}, whose records have ${bytes} bytes`, () => {
      const facts = {...bareDriver(1), 'gpu.0.compute': processes, process_record_bytes: bytes}
      const {nvml} = drive(facts, missing)
      const expected =
        bytes === 16
          ? WITH_INSTANCES.map(process => ({...process, gpuInstanceId: null, computeInstanceId: null}))
          : WITH_INSTANCES
      expect(nvml.processes(nvml.deviceByIndex(0), 'compute')).to.deep.equal(expected)
    })
  }

  it('lists MIG devices across gaps, with the processes on each', () => {
    const {nvml} = drive({...bareDriver(1), ...migGpu(0)})
    const gpu = nvml.deviceByIndex(0)
    expect(nvml.migMode(gpu)).to.deep.equal({current: 1, pending: 1})
    const parts = Array.from({length: nvml.maxMigDeviceCount(gpu)}, (_, index) => nvml.migDevice(gpu, index))
    expect(parts.map(part => part !== null)).to.deep.equal([true, false, true, false, false, false, false])
    const part = parts[2]!
    expect(nvml.deviceName(part)).to.contain('MIG 2g.20gb')
    expect(nvml.memoryInfo(part).total).to.equal(20 * GIB)
    expect([nvml.gpuInstanceId(part), nvml.computeInstanceId(part)]).to.deep.equal([9, 0])
    expect(nvml.attributes(part)).to.include({multiprocessorCount: 32, memorySizeMB: 20 * 1024})
    expect(nvml.processes(part, 'compute')).to.deep.equal([
      {pid: 5002, usedBytes: GIB, gpuInstanceId: 9, computeInstanceId: 0},
    ])
  })

  it('tells an Xid with its GPU once, and then that nothing happened', () => {
    const {nvml, driver} = drive({...bareDriver(2), ...fullGpu(0), ...fullGpu(1)})
    const set = nvml.createEventSet()
    for (const gpu of [0, 1]) nvml.registerEvents(nvml.deviceByIndex(gpu), NVML_EVENT.xid, set)
    expect(nvml.waitForEvent(set, 0)).to.equal(null)
    driver.change({events: '1:8:79'})
    expect(nvml.waitForEvent(set, 0)).to.deep.equal({device: nvml.deviceByIndex(1), type: 8, data: 79})
    expect(nvml.waitForEvent(set, 0)).to.equal(null)
    nvml.freeEventSet(set)
  })

  it('fails with the number of a lost GPU alone, and reads it again when it is back', () => {
    const {nvml, driver} = drive({...bareDriver(2), ...fullGpu(0), ...fullGpu(1)})
    const [one, two] = [nvml.deviceByIndex(0), nvml.deviceByIndex(1)]
    driver.change({'gpu.1': '!15'})
    expect(nvml.temperature(one)).to.equal(61)
    expect(failureOf(() => nvml.temperature(two))).to.include({errno: NVML.gpuIsLost})
    driver.change({'gpu.1': null})
    nvml.shutdown()
    nvml.init()
    expect(nvml.temperature(nvml.deviceByIndex(1))).to.equal(61)
  })
})
