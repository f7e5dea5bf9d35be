import type {EmbeddedWorker} from '../embedded-worker.js'
import {TASK_LEVELS, summaryOf, type PeriodicTask} from '../periodic-task.js'
import {notBoolean, parameter, truth, type CacheInput, type CacheReply} from './reply.js'

/** `GET /periodic-threads`: work that this process does again and again, which upstream has threads for. */
export function periodicThreads({store}: EmbeddedWorker, input: CacheInput): CacheReply {
  const asked = parameter(input, 'level')
  const level = asked?.toLowerCase()
  if (level !== undefined && !TASK_LEVELS.some(one => one === level)) {
    const error = `Invalid level: ${asked}. Valid values: ${TASK_LEVELS.join(', ')}`
    return {status: 400, body: {error}}
  }
  const only: Record<string, boolean> = {}
  for (const name of ['running_only', 'active_only']) {
    const text = parameter(input, name)
    const isOn = text === null ? false : truth(text)
    if (isOn === null) return notBoolean(name, text!)
    only[name] = isOn
  }
  const {tasks} = store
  const {all, ...byLevel} = summaryOf(tasks)
  const shown = tasks.filter(
    task =>
      (level === undefined || task.level === level) &&
      (task.isRunning || only['running_only'] !== true) &&
      (task.isActive || only['active_only'] !== true),
  )
  return {
    status: 200,
    body: {
      summary: {
        total_count: all.total,
        running_count: all.running,
        active_count: all.active,
        by_level: byLevel,
      },
      threads: shown.map(taskJson),
    },
  }
}

/** `GET /periodic-threads/NAME`. */
export function periodicThread({store}: EmbeddedWorker, {name}: CacheInput): CacheReply {
  const task = store.tasks.find(one => one.name === name)
  return task === undefined
    ? {status: 404, body: {error: `Thread not found: ${name ?? ''}`}}
    : {status: 200, body: taskJson(task)}
}

/** `GET /periodic-threads-health`: whether what must not stand still goes on. */
export function periodicThreadsHealth({store}: EmbeddedWorker): CacheReply {
  const unhealthy = store.tasks.filter(
    ({level, isActive}) => (level === 'critical' || level === 'high') && !isActive,
  )
  return {
    status: 200,
    body: {
      healthy: unhealthy.length === 0,
      unhealthy_count: unhealthy.length,
      unhealthy_threads: unhealthy.map(task => {
        const {name, level, last_run_ago, interval} = taskJson(task)
        return {name, level, last_run_ago, interval}
      }),
    },
  }
}

/** Seconds, but for `duration_ms`; `success_rate` in percent. */
function taskJson({
  name,
  level,
  intervalMs,
  isRunning,
  isActive,
  lastRun,
  runs,
  failedRuns,
}: PeriodicTask): Record<string, unknown> {
  return {
    ...{name, level, interval: intervalMs / 1000, init_wait: intervalMs / 1000},
    ...{is_running: isRunning, is_active: isActive},
    last_run_time: lastRun === null ? null : lastRun.startedMs / 1000,
    last_run_ago: lastRun === null ? null : (Date.now() - lastRun.startedMs) / 1000,
    ...{total_runs: runs, failed_runs: failedRuns},
    success_rate: runs === 0 ? null : ((runs - failedRuns) / runs) * 100,
    last_summary: lastRun && {
      timestamp: lastRun.startedMs / 1000,
      duration_ms: lastRun.tookMs,
      success: !lastRun.hasFailed,
      message: lastRun.message,
      extra_info: {},
    },
  }
}
