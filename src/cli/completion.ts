/** What completion needs to know of a command; oclif's manifest has it, so no command file is loaded. */
export interface CompletableCommand {
  readonly id: string
  readonly hidden?: boolean
  readonly summary?: string | undefined
  readonly args: Readonly<Record<string, CompletableArgument>>
  readonly flags: Readonly<Record<string, CompletableFlag>>
}

interface CompletableArgument {
  readonly multiple?: boolean
  readonly options?: readonly string[] | undefined
}

interface CompletableFlag {
  readonly type: 'boolean' | 'option'
  readonly char?: string | undefined
  readonly hidden?: boolean | undefined
  readonly summary?: string | undefined
  readonly description?: string | undefined
  readonly options?: readonly string[] | undefined
  readonly allowNo?: boolean | undefined
}

export interface Candidate {
  readonly value: string
  readonly description: string
}

/** Live values of an argument or flag, such as segment names; empty when the shell should offer files. */
export type ValueSource = (command: string, name: string) => Promise<readonly string[]>

/**
 * What may stand at the cursor.
 *
 * @param words the words after the program's name, the last one being the (possibly empty) word at the cursor
 */
export async function complete(
  words: readonly string[],
  commands: readonly CompletableCommand[],
  values: ValueSource,
): Promise<Candidate[]> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const command = commandOf(before, commands)
  const candidates = command
    ? await ofCommand(command, before.slice(command.id.split(':').length), current, values)
    : []
  // A topic such as `cache` can be a command's first word and a command of its own.
  return [...nextWords(before, commands), ...candidates].filter(({value}) => value.startsWith(current))
}

function commandOf(
  before: readonly string[],
  commands: readonly CompletableCommand[],
): CompletableCommand | undefined {
  return commands
    .filter(({id}) => id.split(':').every((word, index) => word === before[index]))
    .sort((a, b) => b.id.length - a.id.length)[0]
}

function nextWords(before: readonly string[], commands: readonly CompletableCommand[]): Candidate[] {
  const next = new Map<string, string>()
  for (const {id, hidden, summary} of commands) {
    const path = id.split(':')
    if (hidden || path.length <= before.length) continue
    if (!before.every((word, index) => word === path[index])) continue
    const word = path[before.length]!
    const isWhole = path.length === before.length + 1
    if (isWhole || !next.has(word)) next.set(word, isWhole ? (summary ?? '') : `${word} …`)
  }
  return [...next].map(([value, description]) => ({value, description}))
}

async function ofCommand(
  command: CompletableCommand,
  given: readonly string[],
  current: string,
  values: ValueSource,
): Promise<Candidate[]> {
  const awaited = flagNamed(command, given.at(-1))
  if (awaited?.flag.type === 'option')
    return plain(await valuesOf(command, awaited.name, awaited.flag, values))
  const flagAndValue = /^(--[^=]+)=/.exec(current)
  if (flagAndValue) {
    const found = flagNamed(command, flagAndValue[1])
    const offered = found ? await valuesOf(command, found.name, found.flag, values) : []
    return plain(offered.map(value => `${flagAndValue[0]}${value}`))
  }
  if (current.startsWith('-')) return flagsOf(command)
  const args = Object.entries(command.args)
  const [name, argument] =
    args[positionals(command, given)] ?? args.filter(([, {multiple}]) => multiple).at(-1) ?? []
  if (name === undefined) return []
  return plain(argument?.options ?? (await values(command.id, name)))
}

async function valuesOf(
  command: CompletableCommand,
  name: string,
  flag: CompletableFlag,
  values: ValueSource,
): Promise<readonly string[]> {
  return flag.options ?? values(command.id, `--${name}`)
}

function flagNamed(
  command: CompletableCommand,
  word?: string,
): {name: string; flag: CompletableFlag} | undefined {
  if (word === undefined) return undefined
  const found = Object.entries(command.flags).find(
    ([name, {char}]) => word === `--${name}` || (char !== undefined && word === `-${char}`),
  )
  return found && {name: found[0], flag: found[1]}
}

function flagsOf(command: CompletableCommand): Candidate[] {
  return Object.entries(command.flags)
    .filter(([, {hidden}]) => !hidden)
    .flatMap(([name, {summary, description, allowNo}]) => {
      const text = (summary ?? description ?? '').split('\n')[0]!
      return [name, ...(allowNo ? [`no-${name}`] : [])].map(word => ({value: `--${word}`, description: text}))
    })
}

function positionals(command: CompletableCommand, given: readonly string[]): number {
  let count = 0
  for (const [index, word] of given.entries()) {
    const isFlagValue = flagNamed(command, given[index - 1])?.flag.type === 'option'
    if (!word.startsWith('-') && !isFlagValue) count++
  }
  return count
}

function plain(values: readonly string[]): Candidate[] {
  return values.map(value => ({value, description: ''}))
}
