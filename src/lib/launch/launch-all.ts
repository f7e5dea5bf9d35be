import {ResourceError} from '../foundation/index.js'
import type {ListeningPort} from '../processes/index.js'
import type {LaunchCommand, LaunchPlan} from './plan-launch.js'
import {supervise, type LaunchEvent, type LaunchRules, type SuperviseParts} from './supervise.js'

export interface LaunchParts extends SuperviseParts {
  whoListens(ports: readonly number[]): Promise<readonly ListeningPort[]>
}

/**
 * Starts everything in a plan, one after another with its pause between, and keeps it running until the signal is aborted or
 * no engine runs any more. The router ends first, so that what it has passed on can end too.
 *
 * @param endsAtFailure whether one that failed ends them all
 * @returns the names of those that failed
 * @throws ResourceError `PORT_IN_USE` before anything is started
 */
export async function launchAll(
  plan: LaunchPlan,
  rules: LaunchRules & {readonly endsAtFailure: boolean},
  parts: LaunchParts,
  tell: (command: LaunchCommand, event: LaunchEvent) => void,
  signal: AbortSignal,
): Promise<string[]> {
  await refuseTakenPorts(plan, parts)
  const failed: string[] = []
  let enginesLeft = plan.commands.filter(({engine}) => engine !== 'router').length
  const end = new AbortController()
  const ending = AbortSignal.any([signal, end.signal])
  const endEngines = new AbortController()
  const running: {command: LaunchCommand; over: Promise<void>}[] = []
  const run = async (command: LaunchCommand): Promise<void> => {
    const until = command.engine === 'router' ? ending : endEngines.signal
    const outcome = await supervise(command, rules, parts, event => tell(command, event), until)
    if (outcome === 'stopped') return
    failed.push(command.name)
    if (command.engine !== 'router') enginesLeft--
    if (rules.endsAtFailure || enginesLeft === 0) end.abort()
  }
  const stopped = new Promise<void>(resolve => {
    const stop = (): void => {
      const routers = running.filter(({command}) => command.engine === 'router').map(({over}) => over)
      void Promise.allSettled(routers).then(() => {
        endEngines.abort()
        resolve()
      })
    }
    if (ending.aborted) stop()
    else ending.addEventListener('abort', stop, {once: true})
  })
  for (const [index, command] of plan.commands.entries()) {
    if (index > 0 && plan.delayMs > 0) await parts.clock.sleep(plan.delayMs, ending).catch(() => {})
    if (ending.aborted) break
    const over = run(command)
    // Heard below; until then it must not count as one that nobody hears of.
    over.catch(() => end.abort())
    running.push({command, over})
  }
  const overs = Promise.all(running.map(({over}) => over))
  try {
    await overs
  } finally {
    end.abort()
    await stopped
    await Promise.allSettled(running.map(({over}) => over))
  }
  return failed
}

async function refuseTakenPorts({commands}: LaunchPlan, parts: LaunchParts): Promise<void> {
  const ports = commands.map(({url}) => Number(new URL(url).port || '80'))
  const [taken] = await parts.whoListens(ports)
  if (!taken) return
  const {name} = commands[ports.indexOf(taken.port)]!
  const by = taken.pid === null ? 'somebody' : `pid ${taken.pid}`
  throw new ResourceError('PORT_IN_USE', `'${name}' cannot have port ${taken.port}: ${by} listens there`, {
    suggestions: ['end that program, or give the instance another --port'],
  })
}
