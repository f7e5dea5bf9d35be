import {ResourceError} from '../foundation/index.js'
import {groupInName, SegmentNotFoundError, type SegmentLook, type SegmentStore} from '../segments/index.js'
import type {LaunchCommand} from './plan-launch.js'

export interface EngineSegments {
  clear(command: LaunchCommand, pid: number | null): Promise<void>
  find(command: LaunchCommand, pid: number): Promise<string | null>
}

/** The segments of programs that are started here. Each is the leader of a process group, which default names end with. */
export function engineSegments(store: SegmentStore): EngineSegments {
  const looks = async ({segment}: LaunchCommand, pid: number | null): Promise<SegmentLook[]> => {
    const all = await store.list()
    if (segment !== null) return all.filter(({name}) => name === segment)
    return pid === null ? [] : all.filter(({name}) => groupInName(name) === pid)
  }
  return {
    async clear(command, pid) {
      if (!command.expectsSegment) return
      for (const look of await looks(command, pid)) {
        const state = await store.probe(look.name).catch((error: unknown) => {
          if (error instanceof SegmentNotFoundError) return null
          throw error
        })
        if (state === null) continue
        const {verdict, because} = state
        if (verdict === 'stale') await store.removeUnchanged(look)
        else if (verdict === 'live') {
          throw new ResourceError(
            'SEGMENT_LIVE',
            `'${look.name}' is the segment of another engine: ${because}`,
            {
              suggestions: [`kvctl list ${look.name}`, 'give the instance another segment'],
            },
          )
        }
      }
    },
    async find(command, pid) {
      const [look] = await looks(command, pid)
      return look?.name ?? null
    },
  }
}
