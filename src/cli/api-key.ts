/** The bearer token: the flag, else the first of the variables that is set. */
export function apiKeyOf(flag: string | undefined, variables: readonly string[]): string | null {
  return flag ?? variables.map(name => process.env[name]).find(value => value) ?? null
}
