import type {RequestTimes} from './request-times.js'

/** How late the client itself was, ms: send − scheduled time − connection set-up. */
export function queueClientMs({sentAtMs, scheduledAtMs, connectMs}: RequestTimes): number | null {
  return sentAtMs === null || scheduledAtMs === null ? null : sentAtMs - scheduledAtMs - (connectMs ?? 0)
}

/** `send_lag_ms` of the files: send − scheduled time, connection set-up included. */
export function sendLagMs({sentAtMs, scheduledAtMs}: RequestTimes): number | null {
  return sentAtMs === null || scheduledAtMs === null ? null : sentAtMs - scheduledAtMs
}
