import {setFlagsFromString} from 'node:v8'

/** What 200 times V8's own thresholds are called, by its major version; V8 complains of names that it does not know. */
const THRESHOLDS: Readonly<Record<string, readonly string[]>> = {
  11: ['--interrupt-budget=13500000'],
  12: ['--invocation-count-for-maglev=80000', '--invocation-count-for-turbofan=600000'],
  13: ['--invocation-count-for-maglev=80000', '--invocation-count-for-turbofan=600000'],
}

/**
 * Lets V8 compile functions for speed 200 times later than usual: for programs that do little once a second. Compiling, on
 * threads beside, took a quarter of their CPU for as long as they were watched, and a look is over before it could help.
 */
export function compileLate(): void {
  for (const flag of THRESHOLDS[process.versions.v8.split('.')[0]!] ?? []) setFlagsFromString(flag)
}
