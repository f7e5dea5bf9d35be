import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {
  GpuSession,
  gpusJson,
  type GpuLook,
  type GpuReport,
  type GpuSessionOptions,
} from '../../../src/lib/gpu/index.js'
import {loadNvml} from '../../../src/native/nvml.js'
import {bareDriver, fullGpu, gpuUuid, migGpu, ofGpu} from '../../support/nvml/driver-facts.js'
import {standInDriver, type Facts, type StandInDriver} from '../../support/nvml/stand-in.js'
import {describeWith} from '../../support/requires.js'
import {temporaryFolder} from '../../support/temporary.js'

const GIB = 2 ** 30
const MIB = 2 ** 20
const NEVER_UNAVAILABLE = ['index', 'state', 'migDevices', 'unavailable']

describeWith(['gcc|cc'], 'a look through the driver', () => {
  const folder = temporaryFolder()
  const open = (
    facts: Facts,
    {
      without = [],
      healthMs = 0,
      retryMs = 0,
      figures = 'all',
    }: {without?: string[]} & Partial<Pick<GpuSessionOptions, 'healthMs' | 'retryMs' | 'figures'>> = {},
  ): {session: GpuSession; driver: StandInDriver} => {
    const driver = standInDriver(folder(), facts, without)
    process.env['KVCTL_TEST_NVML_FILE'] = driver.env['KVCTL_TEST_NVML_FILE']
    const options = {libraryPath: driver.library, healthMs, retryMs, pciFolder: folder(), figures}
    return {session: new GpuSession(() => loadNvml(driver.library), options), driver}
  }
  const look = (session: GpuSession, skip: number[] = []): GpuReport[] => [...session.look(new Set(skip))]
  const gpusOf = (reports: GpuReport[]): GpuLook[] =>
    reports.flatMap(report => (report.kind === 'gpu' ? [report.gpu] : []))
  const driverOf = (reports: GpuReport[]): GpuReport | undefined => reports[0]
  afterEach(() => delete process.env['KVCTL_TEST_NVML_FILE'])

  it('has a value for every figure of a GPU that gives all', () => {
    const {session} = open({...bareDriver(1), ...fullGpu(0), events: '0:8:31'})
    look(session)
    const [gpu] = gpusOf(look(session))
    expect(gpu!.unavailable).to.deep.equal({})
    expect(Object.entries(gpu!).filter(([, value]) => value === null)).to.deep.equal([])
    expect(gpu).to.deep.include({
      name: 'NVIDIA H100 80GB HBM3',
      architecture: 'hopper',
      computeCapability: '9.0',
      memoryTotalBytes: 80 * GIB,
      memoryUsedBytes: 40 * GIB,
      memoryReservedBytes: 600 * MIB,
      memoryUsedWithReservedBytes: 40 * GIB + 600 * MIB,
      powerWatts: 412.5,
      powerInstantWatts: 431,
      powerLimitWatts: 700,
      enforcedPowerLimitWatts: 650,
      energyJoules: 123_456.789,
      energySource: 'counter',
      throttleReasons: ['software_power_cap', 'hardware_thermal'],
      nvlinkSentBytes: 1000 * 1024,
      isRowRemapPending: true,
      recoveryAction: 'none',
    })
    expect(gpu!.xids!.map(({xid}) => xid)).to.deep.equal([31])
  })

  it('has null and a reason for every figure of a GPU that gives none, and never a zero', () => {
    const {session} = open(bareDriver(1))
    const [gpu] = gpusOf(look(session))
    const figures = Object.entries(gpu!).filter(([name]) => !NEVER_UNAVAILABLE.includes(name))
    const told = figures.filter(([, value]) => value !== null).map(([name]) => name)
    // The stand-in answers an empty list of processes, which is a value.
    expect(told).to.deep.equal(['processes'])
    expect(Object.keys(gpu!.unavailable).sort()).to.deep.equal(
      figures
        .map(([name]) => name)
        .filter(name => name !== 'processes')
        .sort(),
    )
    expect(new Set(Object.values(gpu!.unavailable))).to.deep.equal(new Set(['not_supported']))
  })

  it('tells a function that the driver lacks from one that the GPU lacks', () => {
    const without = ['nvmlDeviceGetMemoryInfo_v2', 'nvmlDeviceGetFieldValues']
    const {session} = open({...bareDriver(1), ...fullGpu(0), 'gpu.0.nvmlDeviceGetFanSpeed': '!3'}, {without})
    const [gpu] = gpusOf(look(session))
    expect(gpu!.unavailable).to.include({
      memoryUsedBytes: 'no_symbol',
      memoryTemperatureCelsius: 'no_symbol',
      fanPercent: 'not_supported',
    })
    expect(gpu!.memoryUsedWithReservedBytes).to.equal(40 * GIB + 600 * MIB)
  })

  it('gives no sentinel for a number', () => {
    const ones = '18446744073709551615'
    const facts = ofGpu(0, {
      nvmlDeviceGetTotalEnergyConsumption: ones,
      nvmlDeviceGetNumaNodeId: '4294967295',
      nvmlDeviceGetPerformanceState: 32,
      'field.197.0': `3 ${ones}`,
      compute: '7:-1:-1:-1',
    })
    const {session} = open({...bareDriver(1), ...fullGpu(0), ...facts})
    const [gpu] = gpusOf(look(session))
    const names = ['energyJoules', 'numaNode', 'performanceState', 'pcieSentBytes'] as const
    for (const name of names) {
      expect(gpu![name], name).to.equal(null)
      expect(gpu!.unavailable[name]).to.equal('no_data')
    }
    expect(gpu!.processes![0]).to.include({pid: 7, usedBytes: null, gpuInstanceId: null})
  })

  it('adds up power where a GPU does not count its energy, from the second look on', async () => {
    const {session, driver} = open({
      ...bareDriver(1),
      ...fullGpu(0),
      'gpu.0.nvmlDeviceGetTotalEnergyConsumption': '!3',
    })
    const first = gpusOf(look(session))[0]!
    expect(first).to.include({energyJoules: null, energySource: null})
    expect(first.unavailable).to.include({energyJoules: 'not_supported', energySource: 'not_supported'})
    await new Promise(resolve => setTimeout(resolve, 20))
    const second = gpusOf(look(session))[0]!
    expect(second.energySource).to.equal('integrated_power')
    expect(second.energyJoules).to.be.greaterThan(0.02 * 412)
    expect(second.unavailable).to.deep.equal({})
    driver.change({'gpu.0.nvmlDeviceGetPowerUsage': '!3'})
    expect(gpusOf(look(session))[0]!.energyJoules).to.equal(null)
  })

  it('gives the SM share of a process in the time since the look before, 0 without a sample', () => {
    const {session, driver} = open({...bareDriver(1), ...fullGpu(0)})
    expect(gpusOf(look(session))[0]!.processes![0]!.smPercent).to.equal(83)
    expect(gpusOf(look(session))[0]!.processes![0]!.smPercent).to.equal(0)
    driver.change({'gpu.0.samples': '4242:1000000:83:0:0:0 4242:2000000:21:0:0:0 4242:2000001:255:0:0:0'})
    expect(gpusOf(look(session))[0]!.processes![0]!.smPercent).to.equal(21)
  })

  it('keeps the identity of a GPU that is lost midway, goes on with the others, and finds it again', () => {
    const {session, driver} = open({...bareDriver(3), ...fullGpu(0), ...fullGpu(1), ...fullGpu(2)})
    look(session)
    driver.change({'gpu.1': '!15'})
    const [one, lost, three] = gpusOf(look(session))
    expect([one!.state, lost!.state, three!.state]).to.deep.equal(['ok', 'lost', 'ok'])
    expect(lost).to.include({
      uuid: gpuUuid(1),
      temperatureCelsius: null,
      memoryTotalBytes: null,
      processes: null,
    })
    expect(lost!.unavailable).to.include({temperatureCelsius: 'gpu_lost', processes: 'gpu_lost'})
    expect(lost!.unavailable).not.to.have.property('uuid')
    driver.change({'gpu.1': null})
    expect(gpusOf(look(session)).map(({state}) => state)).to.deep.equal(['ok', 'ok', 'ok'])
  })

  it('leaves a lost GPU alone until it is time to start the library anew', () => {
    const {session, driver} = open(
      {...bareDriver(1), ...fullGpu(0), 'gpu.0.handle': '!15'},
      {retryMs: 60_000},
    )
    expect(gpusOf(look(session))[0]!.state).to.equal('lost')
    driver.change({nvmlInit_v2: '!999'})
    expect(driverOf(look(session))).to.deep.include({kind: 'driver', count: 1})
  })

  it('reads seldom changing figures as seldom as it is told', () => {
    const {session, driver} = open({...bareDriver(1), ...fullGpu(0)}, {healthMs: 60_000})
    look(session)
    driver.change({
      'gpu.0.nvmlDeviceGetPowerManagementLimit': 500_000,
      'gpu.0.nvmlDeviceGetPowerUsage': 99_000,
    })
    expect(gpusOf(look(session))[0]).to.include({powerLimitWatts: 700, powerWatts: 99})
  })

  it('asks only for what a screen shows where that is wanted, and says of the rest that nobody asked', () => {
    const all = gpusOf(look(open({...bareDriver(1), ...fullGpu(0)}).session))[0]!
    const {session} = open({...bareDriver(1), ...fullGpu(0)}, {figures: 'shown'})
    const [gpu] = gpusOf(look(session))
    expect(Object.keys(gpu!).sort()).to.deep.equal(Object.keys(all).sort())
    const asked = Object.entries(gpu!).filter(
      ([name]) => !(name in gpu!.unavailable) && name !== 'unavailable',
    )
    expect(Object.fromEntries(asked)).to.deep.equal(
      Object.fromEntries(asked.map(([name]) => [name, all[name as keyof GpuLook]])),
    )
    expect(gpu!.unavailable).to.include({fanPercent: 'not_asked', eccCorrected: 'not_asked'})
    expect(gpu).to.deep.include({
      ...{uuid: gpuUuid(0), memoryUsedBytes: 40 * GIB, utilizationPercent: 85, powerWatts: 412.5},
      ...{enforcedPowerLimitWatts: 650, throttleReasons: ['software_power_cap', 'hardware_thermal']},
      ...{processes: all.processes, fanPercent: null, eccCorrected: null},
    })
  })

  it('shows the parts of a MIG GPU with their memory and processes, and N/A for what only the whole has', () => {
    const {session} = open({...bareDriver(1), ...migGpu(0)})
    const [gpu] = gpusOf(look(session))
    expect(gpu!.isMigEnabled).to.equal(true)
    expect(gpu!.utilizationPercent).to.equal(null)
    expect(
      gpu!.migDevices.map(({index, memoryTotalBytes, gpuInstanceId}) => [
        index,
        memoryTotalBytes,
        gpuInstanceId,
      ]),
    ).to.deep.equal([
      [0, 10 * GIB, 7],
      [2, 20 * GIB, 9],
    ])
    expect(gpu!.processes!.map(({pid, smPercent}) => [pid, smPercent])).to.deep.equal([
      [5000, null],
      [5002, null],
    ])
  })

  it('does not ask a GPU that sleeps', () => {
    const {session, driver} = open({...bareDriver(1), ...fullGpu(0)})
    look(session)
    const power = join(folder(), '0000:3b:00.0/power')
    mkdirSync(power, {recursive: true})
    writeFileSync(join(power, 'runtime_status'), 'suspended\n')
    driver.change({'gpu.0': '!999'})
    expect(gpusOf(look(session))[0]).to.include({state: 'asleep', uuid: gpuUuid(0), powerWatts: null})
    writeFileSync(join(power, 'runtime_status'), 'active\n')
    driver.change({'gpu.0': null})
    expect(gpusOf(look(session))[0]).to.include({state: 'ok', powerWatts: 412.5})
  })

  it('does not ask the GPUs that it shall skip', () => {
    const {session} = open({...bareDriver(3), ...fullGpu(0), ...fullGpu(1), ...fullGpu(2)})
    expect(gpusOf(look(session, [1])).map(({index}) => index)).to.deep.equal([0, 2])
  })

  for (const [status, state] of [
    [9, 'not_loaded'],
    [18, 'version_mismatch'],
    [4, 'no_permission'],
    [999, 'unreachable'],
    [20, 'failed'],
  ] as const) {
    it(`calls the driver ${state} when it starts with ${status}, and well when it later starts`, () => {
      const {session, driver} = open({...bareDriver(0), nvmlInit_v2: `!${status}`})
      const report = driverOf(look(session))
      expect(report?.kind === 'driver' && report.driver.state).to.equal(state)
      driver.change({nvmlInit_v2: null})
      expect(driverOf(look(session))).to.deep.include({
        driver: {
          state: 'ok',
          problem: null,
          driverVersion: '550.163.01',
          nvmlVersion: '12.550.163.01',
          cudaVersion: '12.4',
        },
      })
    })
  }

  it('takes "no supported GPUs" for a driver without any', () => {
    const {session} = open({...bareDriver(0), nvmlInit_v2: '!28'})
    const report = driverOf(look(session))
    expect(report).to.deep.include({count: 0})
    expect(report?.kind === 'driver' && report.driver.state).to.equal('ok')
  })

  it('writes figures and their reasons under the same snake_case names', () => {
    const {session} = open({...bareDriver(1), ...fullGpu(0), 'gpu.0.nvmlDeviceGetFanSpeed': '!3'})
    const driver = {
      state: 'ok',
      problem: null,
      driverVersion: null,
      nvmlVersion: null,
      cudaVersion: null,
    } as const
    const json = gpusJson({takenAtMs: 0, tookMs: 1.5, driver, gpus: gpusOf(look(session))})
    expect(json).to.include({time: '1970-01-01T00:00:00.000Z', took_ms: 1.5})
    expect(json.gpus[0]).to.deep.include({
      memory_used_bytes: 40 * GIB,
      fan_percent: null,
      unavailable: {fan_percent: 'not_supported'},
    })
    expect(json.gpus[0]!.processes).to.deep.equal([
      {
        pid: 4242,
        kinds: ['compute'],
        used_bytes: 40 * GIB,
        gpu_instance_id: null,
        compute_instance_id: null,
        sm_percent: 83,
      },
    ])
  })
})
