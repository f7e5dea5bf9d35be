/** One sample of a metrics page. */
export interface MetricSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** May be ±Infinity or NaN, as the format allows. */
  readonly value: number
}

/** Labels end at the first brace outside quotes: an OpenMetrics exemplar after the value has braces of its own. */
const LINE = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?\s+(\S+)(?:\s+[-\d.]+)?(?:\s+#.*)?$/
const LABEL = /([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"/g

/**
 * Reads the Prometheus text format (and OpenMetrics, whose additions are skipped). Lines that are no sample are left out.
 *
 * @param isWanted names to read; the labels of others are not even looked at
 * @see prometheus/docs:content/docs/instrumenting/exposition_formats.md
 */
export function parsePrometheusText(
  text: string,
  isWanted: (name: string) => boolean = () => true,
): MetricSample[] {
  const samples: MetricSample[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('#') || !isWanted(line.slice(0, endOfName(line)))) continue
    const [, name, labels = '', value] = LINE.exec(line.trim()) ?? []
    if (name === undefined || value === undefined) continue
    const number = numberOf(value)
    if (number !== null) samples.push({name, labels: labelsOf(labels), value: number})
  }
  return samples
}

function endOfName(line: string): number {
  const end = line.search(/[{\s]/)
  return end < 0 ? line.length : end
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(LABEL)].map(([, name, value]) => [
      name!,
      value!.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char)),
    ]),
  )
}

function numberOf(text: string): number | null {
  if (/^\+?inf$/i.test(text)) return Infinity
  if (/^-inf$/i.test(text)) return -Infinity
  if (/^nan$/i.test(text)) return NaN
  const value = Number(text)
  return Number.isNaN(value) ? null : value
}
