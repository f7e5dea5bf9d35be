/** `skipped`: it could not be looked at, or does not apply here; `warn`: it works, and will not in some case. */
export type CheckStatus = 'ok' | 'warn' | 'fail' | 'skipped'

/** One finding. */
export interface Check {
  /** Stable, with dashes; of several alike, what is looked at follows after a blank. */
  readonly name: string
  readonly status: CheckStatus
  /** What was seen, or why nothing was. */
  readonly detail: string
  /** What to do about it; null when nothing needs doing. */
  readonly fix: string | null
}

export const ok = (name: string, detail: string): Check => ({name, status: 'ok', detail, fix: null})
export const warn = (name: string, detail: string, fix: string): Check => ({
  name,
  status: 'warn',
  detail,
  fix,
})
export const fail = (name: string, detail: string, fix: string): Check => ({
  name,
  status: 'fail',
  detail,
  fix,
})
export const skipped = (name: string, detail: string, fix: string | null = null): Check => ({
  name,
  status: 'skipped',
  detail,
  fix,
})
