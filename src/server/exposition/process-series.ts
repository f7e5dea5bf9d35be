import {Counter, Gauge, type Registry} from 'prom-client'

/** The names every Prometheus client library exports; a restart shows in the start time. */
export function processSeries(registers: Registry[]): void {
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time.',
    registers,
    collect() {
      const {user, system} = process.cpuUsage()
      this.reset()
      this.inc((user + system) / 1e6)
    },
  })
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })
  new Gauge({name: 'process_start_time_seconds', help: 'Unix time of the start.', registers}).set(
    Date.now() / 1000 - process.uptime(),
  )
}
