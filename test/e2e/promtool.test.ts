import {expect} from 'chai'
import {endEngine, startEngine} from '../support/engine-process.js'
import {checkMetrics} from '../support/promtool.js'
import {describeWith} from '../support/requires.js'

/** promtool's status for a page that parses, with remarks on style. @see prometheus/prometheus:cmd/promtool/main.go — lintErrExitCode */
const ONLY_STYLE = 3

describeWith(['promtool'], 'promtool on /metrics of kvctl engine', () => {
  let page: string
  before(async () => {
    const engine = await startEngine('--no-segment', '--itl-ms', '0')
    const post = (body: object): Promise<Response> =>
      fetch(`${engine.url}/v1/completions`, {
        method: 'POST',
        headers: {'content-type': 'application/json'},
        body: JSON.stringify(body),
      })
    await (await post({prompt: 'Hello', max_tokens: 5, n: 2})).text()
    await (await post({prompt: '"quoted" \\ names\n'})).text()
    page = await (await fetch(`${engine.url}/metrics`)).text()
    await endEngine(engine.child, 'SIGTERM')
  })

  it('objects to nothing but names that are vLLM’s', async () => {
    const {status, complaints} = await checkMetrics(page)
    const colons = complaints.filter(line => /^vllm:\w+ metric names should not contain ':'$/.test(line))
    const series = [...page.matchAll(/^# TYPE (vllm:\w+) /gm)].map(match => match[1])
    expect(colons.map(line => line.split(' ')[0]).sort()).to.deep.equal([...series].sort())
    expect(complaints.filter(line => !colons.includes(line))).to.deep.equal([
      // A histogram, which vLLM named like a counter.
      'vllm:iteration_tokens_total non-counter metrics should not have "_total" suffix',
    ])
    expect(status).to.equal(ONLY_STYLE)
  })

  it('finds nothing at all once those names are spelled its way', async () => {
    const respelled = page
      .replaceAll('vllm:iteration_tokens_total', 'vllm:iteration_tokens')
      .replaceAll('vllm:', 'vllm_')
    expect(await checkMetrics(respelled)).to.deep.equal({status: 0, complaints: []})
  })

  it('would see a page that is broken', async () => {
    const {status, complaints} = await checkMetrics(`${page}vllm:broken{engine="0" 1\n`)
    expect(status).to.equal(1)
    expect(complaints.join(' ')).to.match(/parsing/)
  })
})
