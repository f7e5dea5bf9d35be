import {expect} from 'chai'
import type {LiveLook} from '../../../src/lib/bench/index.js'
import {benchLines} from '../../../src/tui/bench/bench-lines.js'
import {ASCII, UNICODE} from '../../../src/tui/draw/glyphs.js'
import {paint} from '../../../src/tui/draw/paint.js'

const look: LiveLook = {
  elapsedMs: 12_000,
  total: 500,
  answered: 250,
  inFlight: 20,
  requestsPerSecond: 18.25,
  tokensPerSecond: 1840,
  leftMs: 14_000,
  ttft: {p50: 48, p95: 121},
  gap: {p50: 7.68, p95: 24},
  requestRates: [0, 5, 10],
  tokenRates: [0, 500, 1000],
  ttftP95s: [null, 100, 200],
  failures: [
    ['http_5xx', 3],
    ['reset', 1],
  ],
  engine: {
    ...{running: 16, waiting: 4, kv_cache_usage: 0.5, preemptions_total: 1},
    ...{prompt_tokens_total: 1, generation_tokens_total: 1},
    ...{prefix_cache_queries_total: 1, prefix_cache_hits_total: 1},
  },
  prefixHitRatio: 0.25,
  preemptions: 1,
  segments: [{name: 'vllm-0', limit_bytes: 64 * 2 ** 20, used_bytes: 32 * 2 ** 20, prealloc_bytes: 0}],
  gpus: [
    {index: 0, utilization: 0.1, memory_used_bytes: 0, power_watts: 50, serves: false},
    {
      ...{index: 1, utilization: 0.85, memory_used_bytes: 40 * 2 ** 30, memory_total_bytes: 80 * 2 ** 30},
      ...{power_watts: 412.5, temperature_celsius: 61, serves: true},
    },
  ],
}
const screen = (changes: Partial<LiveLook>, columns = 90, glyphs = UNICODE): string[] =>
  benchLines({...look, ...changes}, {title: 'toy on http://x:8000'}, columns, glyphs).map(line =>
    paint(line, columns, false, glyphs.ellipsis),
  )

describe('the live screen of a run', () => {
  it('shows how far it is, what it does now, and how server, segment and its GPU stand', () => {
    const lines = screen({})
    expect(lines[0]).to.equal('toy on http://x:8000 · 12.0 s')
    expect(lines[1]).to.match(/^▕█{24}▒▒·{22}▏ 250\/500 · 20 in flight · 14.0 s left$/)
    expect(lines.join('\n')).to.match(/^requests +18\.\d\/s /m)
    expect(lines.join('\n')).to.match(/^tokens +1840\/s /m)
    expect(lines.join('\n')).to.contain('TTFT       p50 48 ms  p95 121 ms')
    expect(lines.join('\n')).to.contain('gaps       p50 7.68 ms  p95 24 ms')
    expect(lines.join('\n')).to.match(
      /server {5}16 running, 4 waiting {2}KV ▕█{4}·{4}▏ 50\.0% {2}25\.0% cached · 1 preempted/,
    )
    expect(lines.join('\n')).to.match(/segment {4}▕█{10}·{10}▏ 32\.0 MB of 64\.0 MB {2}vllm-0/)
    expect(lines.join('\n')).to.match(/GPU 1 {6}▕█{17}·{3}▏ 85\.0% {2}40\.0 GB of 80\.0 GB · 413 W · 61 °C/)
    expect(lines.join('\n'), 'a GPU of others').not.to.contain('GPU 0')
    expect(lines.at(-1)).to.equal('failed     3 http_5xx, 1 reset')
  })

  it('leaves out what nobody knows, and is never wider than the terminal', () => {
    const bare = {engine: null, segments: [], gpus: [], failures: [], ttft: null, gap: null, leftMs: null}
    expect(screen(bare).join('\n')).to.contain('TTFT       no token yet')
    expect(screen(bare)).to.have.length(6)
    for (const columns of [20, 40, 80, 200])
      for (const glyphs of [UNICODE, ASCII])
        for (const line of screen({}, columns, glyphs)) expect(line.length).to.be.at.most(columns)
  })

  it('draws a title of a server without what would steer the terminal', () => {
    const [title] = benchLines(look, {title: 'x\u001B[2Jy'}, 80, ASCII)
    expect(paint(title!, 80, false, '~')).to.match(/^x\?\[2Jy/)
  })
})
