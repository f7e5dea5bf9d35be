import {readProcessUse, type ProcessUse} from '../../src/lib/processes/index.js'

/** What a process has used so far. @throws where it is gone */
export async function useOf(pid: number): Promise<ProcessUse & {readonly rssMib: number}> {
  const use = await readProcessUse(pid)
  if (use === null) throw new Error(`process ${pid} has ended`)
  return {...use, rssMib: use.rssBytes / 2 ** 20}
}
