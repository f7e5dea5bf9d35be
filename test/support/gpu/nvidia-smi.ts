import {execFileSync} from 'node:child_process'
import {findProgram} from '../requires.js'

/** What nvidia-smi says of one GPU, by its own query names; null where it prints N/A. */
export type SmiRow = Readonly<Record<string, string | null>>

const ABSENT = /^\[?(N\/A|Not Supported|Unknown Error|Requested functionality has been deprecated)\]?$/i

/** Rows of `--format=csv,noheader,nounits`. */
export function parseSmi(text: string, names: readonly string[]): SmiRow[] {
  return text
    .split('\n')
    .filter(line => line.trim() !== '')
    .map(line => {
      const cells = line.split(',').map(cell => cell.trim())
      return Object.fromEntries(
        names.map((name, index) => [name, ABSENT.test(cells[index] ?? 'N/A') ? null : cells[index]!]),
      )
    })
}

/** Asks about each GPU. @param names of `nvidia-smi --help-query-gpu` */
export function querySmi(names: readonly string[], what: 'gpu' | 'compute-apps' = 'gpu'): SmiRow[] {
  const args = [`--query-${what}=${names.join(',')}`, '--format=csv,noheader,nounits']
  return parseSmi(execFileSync('nvidia-smi', args, {encoding: 'utf8', timeout: 30_000}), names)
}

/** Why there is no GPU to test on; null when there is one. */
export function withoutGpu(): string | null {
  if (findProgram('nvidia-smi') === null) return 'nvidia-smi is not here'
  try {
    return querySmi(['index']).length > 0 ? null : 'nvidia-smi lists no GPU'
  } catch (error) {
    return `nvidia-smi fails: ${(error as Error).message.split('\n')[0]}`
  }
}

/** `describe` for tests that need an NVIDIA GPU; without one they are skipped, and say why. */
export function describeGpu(title: string, suite: () => void): void {
  const reason = withoutGpu()
  if (reason === null) describe(title, suite)
  else describe.skip(`${title} (skipped: no NVIDIA GPU here: ${reason})`, suite)
}
