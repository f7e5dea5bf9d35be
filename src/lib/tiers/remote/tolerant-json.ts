/** Bare words that Python writes where JSON has no number, outside of strings. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\b(?:Infinity|NaN)\b/g

/**
 * What a worker sent, whatever it called it: JSON, also with Python's infinities, which become null; else the text.
 * A text that was sent as a JSON string is that text.
 */
export function parseTolerant(text: string): unknown {
  try {
    return JSON.parse(text.replaceAll(TOKENS, token => (token.startsWith('"') ? token : 'null')))
  } catch {
    // A plain text, such as a version or "Internal Server Error".
    return text.trim()
  }
}
