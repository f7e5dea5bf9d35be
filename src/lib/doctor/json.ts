import type {Check, CheckStatus} from './check.js'

/** `{checks, summary}`; each check is `{name, status, detail, fix}`. */
export interface DoctorJson {
  readonly checks: readonly Check[]
  readonly summary: Readonly<Record<CheckStatus, number>>
}

export function doctorJson(checks: readonly Check[]): DoctorJson {
  const count = (status: CheckStatus): number => checks.filter(check => check.status === status).length
  return {
    checks,
    summary: {ok: count('ok'), warn: count('warn'), fail: count('fail'), skipped: count('skipped')},
  }
}
