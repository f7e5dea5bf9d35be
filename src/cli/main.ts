import {execute} from '@oclif/core'

/** Starts the program; `entry` is the URL of the file that the shell started. */
export async function main(entry: string): Promise<void> {
  await execute({dir: entry})
}
