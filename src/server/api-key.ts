import {createHash, timingSafeEqual} from 'node:crypto'

/** Path prefixes that need the key. @see vllm-project/vllm:vllm/entrypoints/openai/api_server.py — AuthenticationMiddleware */
const GUARDED = /^\/(v1|v2|inference)(\/|$)/

export function isGuarded(path: string): boolean {
  return GUARDED.test(path)
}

/** Whether `Authorization: Bearer KEY` carries one of the keys; takes as long for a near miss as for a far one. */
export function hasKey(header: string | undefined, keys: readonly string[]): boolean {
  const match = /^bearer +(.*)$/i.exec(header ?? '')
  const given = digest(match?.[1] ?? '')
  let isKnown = false
  for (const key of keys) if (timingSafeEqual(given, digest(key))) isKnown = true
  return match !== null && isKnown
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
