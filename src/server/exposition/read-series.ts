import {Counter, Gauge, type Registry} from 'prom-client'

/** A gauge without labels whose value is read when it is scraped. */
export function readGauge(registers: Registry[], name: string, help: string, read: () => number): void {
  new Gauge({
    ...{name, help, registers},
    collect() {
      this.set(read())
    },
  })
}

/** A counter without labels whose total is kept elsewhere and read when it is scraped. */
export function readCounter(registers: Registry[], name: string, help: string, read: () => number): void {
  new Counter({
    ...{name, help, registers},
    collect() {
      this.reset()
      this.inc(read())
    },
  })
}
