import {complete, type CompletableCommand, type ValueSource} from '../completion.js'

const OWN_WORDS = ['exit', 'quit']

/**
 * What Tab offers in the shell: commands, flags, names of segments and so on; upper and lower case are the same.
 *
 * @param line up to the cursor
 * @returns candidates, and the part of the line that they replace
 */
export async function completeLine(
  line: string,
  commands: readonly CompletableCommand[],
  values: ValueSource,
): Promise<[candidates: string[], replaced: string]> {
  const words = line.trimStart().split(/\s+/)
  const current = words.pop() ?? ''
  const before = words[0] === 'kvctl' ? words.slice(1) : words
  // Flags show only after a dash; anything else is narrowed down here, whatever its case.
  const asked = current.startsWith('-') ? current : ''
  const offered = (await complete([...before, asked], commands, values)).map(({value}) => value)
  const all = before.length === 0 && asked === '' ? [...offered, ...OWN_WORDS] : offered
  const fits = all.filter(value => value.toLowerCase().startsWith(current.toLowerCase()))
  return [fits.length === 1 ? [`${fits[0]!} `] : fits, current]
}
