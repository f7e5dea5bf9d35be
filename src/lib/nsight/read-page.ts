import {parseCsv} from './csv.js'

/** One kernel as it was launched once. Values are in base units: bytes, nanoseconds, percent, counts. */
export interface KernelLaunch {
  readonly pid: number
  readonly processName: string
  readonly kernel: string
  /** Null for a metric that Nsight Compute names and did not collect. */
  readonly metrics: Readonly<Record<string, number | null>>
}

/** What Nsight Compute wrote: launches, and what it said before and between them. */
export interface NsightPage {
  readonly launches: readonly KernelLaunch[]
  /** Lines such as `==ERROR== …`. */
  readonly messages: readonly string[]
}

/** Metrics begin behind the columns that describe the launch. */
const DESCRIPTIVE = new Set(
  ['ID', 'Process ID', 'Process Name', 'Host Name', 'Kernel Name', 'Context', 'Stream'].concat(
    ...['Block Size', 'Grid Size', 'Device', 'CC'],
  ),
)

/**
 * Reads a CSV page of Nsight Compute, with or without its messages: the raw page (a row a launch, a row of units below the
 * names) and the details page (a row a metric, which may end after its value).
 *
 * @see https://docs.nvidia.com/nsight-compute/NsightComputeCli/ — "--page", "--csv"
 */
export function readNsightPage(text: string): NsightPage {
  const lines = text.split('\n')
  const messages = lines.filter(line => line.startsWith('==')).map(line => line.trim())
  const [header, ...records] = parseCsv(lines.filter(line => !line.startsWith('==')).join('\n')).filter(
    record => record.length > 1,
  )
  if (!header?.includes('Process ID')) return {launches: [], messages}
  const launches = header.includes('Metric Name') ? detailsOf(header, records) : rawOf(header, records)
  return {launches, messages}
}

type Row = ReadonlyMap<string, string>

const rowOf = (header: readonly string[], record: readonly string[]): Row =>
  new Map(header.map((name, index) => [name, record[index] ?? '']))

const launchOf = (row: Row, metrics: KernelLaunch['metrics']): KernelLaunch => ({
  pid: Number(row.get('Process ID')),
  processName: row.get('Process Name') ?? '',
  kernel: row.get('Kernel Name') ?? '',
  metrics,
})

function rawOf(header: readonly string[], records: readonly (readonly string[])[]): KernelLaunch[] {
  const names = header.filter(name => !DESCRIPTIVE.has(name))
  const isUnits = records[0]?.[header.indexOf('Process ID')] === ''
  const units = isUnits ? rowOf(header, records[0]!) : new Map<string, string>()
  return records.slice(isUnits ? 1 : 0).map(record => {
    const row = rowOf(header, record)
    const values = names.map(name => [name, valueOf(row.get(name) ?? '', units.get(name) ?? '')])
    return launchOf(row, Object.fromEntries(values) as KernelLaunch['metrics'])
  })
}

function detailsOf(header: readonly string[], records: readonly (readonly string[])[]): KernelLaunch[] {
  const launches = new Map<string, {row: Row; metrics: Record<string, number | null>}>()
  for (const record of records) {
    const row = rowOf(header, record)
    const name = row.get('Metric Name')
    const key = `${row.get('Process ID')} ${row.get('ID')}`
    const launch = launches.get(key) ?? {row, metrics: {}}
    launches.set(key, launch)
    // Rows without a metric carry a rule's advice.
    if (name) launch.metrics[name] = valueOf(row.get('Metric Value') ?? '', row.get('Metric Unit') ?? '')
  }
  return [...launches.values()].map(({row, metrics}) => launchOf(row, metrics))
}

/** What one of a scaled unit is in the base unit; decimal, as Nsight Compute scales. Both generations of names for time. */
const SCALES: Readonly<Record<string, number>> = {
  ...{Kbyte: 1e3, Mbyte: 1e6, Gbyte: 1e9, Tbyte: 1e12},
  ...{nsecond: 1, usecond: 1e3, msecond: 1e6, second: 1e9},
  ...{ns: 1, us: 1e3, ms: 1e6, s: 1e9},
}

function valueOf(text: string, unit: string): number | null {
  const digits = text.replaceAll(',', '').trim()
  if (digits === '' || !/^[-+]?[\d.]+(e[-+]?\d+)?$/i.test(digits)) return null
  return Number(digits) * (SCALES[unit.trim()] ?? 1)
}
