import {renameSync, writeFileSync} from 'node:fs'

/** Keys and values of a stand-in's file; its `stand-in.c` says what they mean. */
export type Facts = Readonly<Record<string, string | number>>
/** Facts to add, or to take away where they are null. */
export type FactChanges = Readonly<Record<string, string | number | null>>

/** Writes a file of facts. @returns changes them, seen by the next call into the library */
export function factsFile(file: string, facts: Facts): (changes: FactChanges) => void {
  const current = new Map<string, string | number>()
  const change = (changes: FactChanges): void => {
    for (const [key, value] of Object.entries(changes)) {
      if (value === null) current.delete(key)
      else current.set(key, value)
    }
    // Replaced at once: a reader never sees half of it.
    writeFileSync(`${file}.new`, [...current].map(([key, value]) => `${key} ${value}\n`).join(''))
    renameSync(`${file}.new`, file)
  }
  change(facts)
  return change
}
