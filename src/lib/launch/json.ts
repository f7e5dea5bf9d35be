import type {EngineKind} from '../router/index.js'
import {shownCommand} from './shell-line.js'
import type {LaunchCommand, LaunchPlan} from './plan-launch.js'
import type {LaunchEvent} from './supervise.js'

/** `kvctl launch --dry-run --json`. */
export interface LaunchPlanJson {
  readonly delay_seconds: number
  readonly commands: readonly {
    readonly name: string
    readonly engine: EngineKind | 'router'
    readonly model: string | null
    /** Without the values of secrets. */
    readonly command: readonly string[]
    readonly env: Readonly<Record<string, string>>
    readonly url: string
    readonly expects_segment: boolean
    /** null where none is expected, or its name follows from the process group. */
    readonly segment: string | null
  }[]
  readonly skipped: readonly {readonly name: string; readonly because: string}[]
  readonly warnings: readonly string[]
}

export function launchPlanJson({delayMs, commands, skipped, warnings}: LaunchPlan): LaunchPlanJson {
  return {
    delay_seconds: delayMs / 1000,
    commands: commands.map(command => {
      const {name, engine, model, url, expectsSegment, segment} = command
      const {words, env} = shownCommand(command)
      return {name, engine, model, command: words, env, url, expects_segment: expectsSegment, segment}
    }),
    skipped,
    warnings,
  }
}

/** One line of `kvctl launch --json`. */
export function launchEventJson({name, url}: LaunchCommand, event: LaunchEvent, time: Date): object {
  const head = {time: time.toISOString(), name, event: event.is}
  switch (event.is) {
    case 'started':
      return {...head, pid: event.pid}
    case 'log':
      return {...head, stream: event.stream, line: event.line}
    case 'ready':
      return {...head, url, segment: event.segment, took_ms: Math.round(event.tookMs)}
    case 'ended':
      return {...head, exit_code: event.exit.code, signal: event.exit.signal}
    case 'waiting':
      return {...head, pause_ms: event.pauseMs}
    case 'failed':
      return {
        ...head,
        code: event.error.code,
        message: event.error.message,
        suggestions: event.error.suggestions,
      }
    case 'stopped':
      return head
  }
}
