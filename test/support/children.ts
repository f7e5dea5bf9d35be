import type {ChildProcess} from 'node:child_process'
import {once} from 'node:events'

/**
 * Programs that a test starts, ended after each. To be called before `temporaryFolder`: its folder must not go while they may
 * still write into it.
 */
export function endedAfterEach(): ChildProcess[] {
  const started: ChildProcess[] = []
  afterEach(async () => {
    for (const child of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'close')
    }
  })
  return started
}
