import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

export type Row = Readonly<Record<string, string>>

/** Rows of a `requests.csv` whose error texts hold no line break. */
export async function readRows(folder: string): Promise<Row[]> {
  const [header = '', ...lines] = (await readFile(join(folder, 'requests.csv'), 'utf8')).trim().split('\n')
  const names = header.split(',')
  return lines.map(line => {
    const fields = [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(match => match[1]!)
    return Object.fromEntries(names.map((name, i) => [name, fields[i] ?? '']))
  })
}

/** Waits until a run has at least so many rows, its last one torn or not. */
export async function untilRows(folder: string, count: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const text = await readFile(join(folder, 'requests.csv'), 'utf8').catch(() => '')
    if (text.split('\n').length > count) return
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  throw new Error(`${folder} has fewer than ${count} rows after 15 s`)
}
