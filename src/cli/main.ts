import {execute} from '@oclif/core'
import {outliveTerminal} from './lost-terminal.js'

/** Starts the program; `entry` is the URL of the file that the shell started. */
export async function main(entry: string): Promise<void> {
  outliveTerminal()
  await execute({dir: entry})
}
