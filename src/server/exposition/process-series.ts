import {Gauge, type Registry} from 'prom-client'
import {readCounter, readGauge} from './read-series.js'

/** The names every Prometheus client library exports; a restart shows in the start time. */
export function processSeries(registers: Registry[]): void {
  readCounter(registers, 'process_cpu_seconds_total', 'User and system CPU time.', () => {
    const {user, system} = process.cpuUsage()
    return (user + system) / 1e6
  })
  readGauge(registers, 'process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
  new Gauge({name: 'process_start_time_seconds', help: 'Unix time of the start.', registers}).set(
    Date.now() / 1000 - process.uptime(),
  )
}
