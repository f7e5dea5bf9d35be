/** Headers of one connection, which its next one does not inherit. @see RFC 9110 section 7.6.1 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const NONE: ReadonlySet<string> = new Set()

/**
 * Pure: the headers of a message that belong to it and not to the connection it came by: all but the hop-by-hop ones and
 * those that `Connection` names. Order, spelling and repetition stay.
 *
 * @param headers names and values in turn
 * @param others lower-case names to leave out as well
 */
export function headersToForward(headers: readonly string[], others: ReadonlySet<string> = NONE): string[] {
  let named: ReadonlySet<string> | null = null
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.toLowerCase() !== 'connection') continue
    const names = headers[at + 1]!.split(',').map(name => name.trim().toLowerCase())
    named = new Set([...(named ?? []), ...names])
  }
  const kept: string[] = []
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!.toLowerCase()
    if (HOP_BY_HOP.has(name) || others.has(name) || named?.has(name) === true) continue
    kept.push(headers[at]!, headers[at + 1]!)
  }
  return kept
}
