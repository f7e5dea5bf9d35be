import {html, type Markup} from '../html.js'

/** What each figure means, in the order in which a reader meets them. */
const DEFINITIONS: readonly (readonly [string, string])[] = [
  [
    'Latency (p50, p95, p99)',
    'From the first byte of the request being handed to an open connection to the end of the answer’s body, over successful requests. Connection set-up is not part of it.',
  ],
  [
    'TTFT',
    'Time to first token: from sending to the first chunk that carries a generated token. A chunk that only names the role does not count.',
  ],
  ['E2E', 'From sending to the last chunk that carries a token.'],
  [
    'ICL',
    'Inter-chunk latency: each plain gap between two token-bearing chunks of one answer, pooled over all answers. What vLLM’s benchmark prints as ITL.',
  ],
  [
    'ITL',
    'Inter-token latency: the gap before a chunk divided by the tokens it carries, counted once for each of them. Equal to ICL when every chunk carries one token.',
  ],
  [
    'TPOT',
    'Time per output token of one answer: (last token − first token) ÷ (tokens − tokens of the first chunk). Left out for answers of a single token.',
  ],
  [
    '… (scheduled)',
    'The same, counted from the time the request was due rather than from when it was sent: what a user saw who arrived on schedule, our own lateness included.',
  ],
  [
    'Requests per second',
    'Successful requests divided by the time from the first send to the last end, the tail included.',
  ],
  [
    'Output tokens per second',
    'Output tokens as counted by the server’s usage, divided by the same time; where no usage was sent the report says so above.',
  ],
  ['In flight', 'Requests sent and not yet ended, exact between any two events.'],
  ['Percentiles', 'Linear interpolation between neighbours at position p · (n − 1), as numpy’s default.'],
  [
    'KV-cache memory',
    'The figures of the engine’s segment: bytes in pages handed out, bytes mapped in reserve, and the limit in force.',
  ],
  [
    'Success',
    'HTTP status 200 and a complete answer with at least one token. Everything else is listed under failures by kind.',
  ],
]

export function definitionList(): Markup {
  return html`<dl class="definitions">
    ${DEFINITIONS.map(
      ([term, meaning]) =>
        html`<dt>${term}</dt>
          <dd>${meaning}</dd> `,
    )}
  </dl>`
}
