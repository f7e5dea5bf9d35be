const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const OPENING: readonly number[] = [0x5b, 0x7b]
const CLOSING: readonly number[] = [0x5d, 0x7d]

/** Whether a JSON text nests deeper than `limit`; found without parsing, so that no depth can hurt. */
export function nestsDeeper(json: string, limit: number): boolean {
  let depth = 0
  let isInString = false
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) isInString = !isInString
    else if (isInString) at += code === BACKSLASH ? 1 : 0
    else if (OPENING.includes(code) && ++depth > limit) return true
    else if (CLOSING.includes(code)) depth--
  }
  return false
}
