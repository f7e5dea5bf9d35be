import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'
import axe from 'axe-core'
import {expect} from 'chai'
import type {Browser, Page} from 'playwright-core'
import {CHROMIUM, launchChromium} from '../support/chromium.js'
import {runCli, type CliResult} from '../support/cli.js'
import {writeRunFixture} from '../support/run-fixture.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'

const OPTIONS = {
  requests: 120,
  warmupRequests: 4,
  concurrency: 6,
  tokens: 12,
  model: 'toy',
  failure: '<b>503</b>',
}
/** A sweep of three rates, as kvctl leaves one. */
const SWEEP = {
  ...{schema_version: 1, sweep_id: 'sweep_1', kind: 'knee', args: [], repeat: 1, order_seed: null},
  axes: [{name: 'rate', values: []}],
  objectives: ['p95(ttft) <= 500ms'],
  ...{created_at: '2026-01-31T14:30:15Z', ended_at: '2026-01-31T14:40:15Z'},
  points: [
    [2, 300, 'PASS'],
    [4, 400, 'PASS'],
    [8, 2500, 'FAIL'],
  ].map(([rate, p95_ms, verdict], index) => ({
    ...{
      index: index + 1,
      values: {rate: String(rate)},
      repetition: 1,
      status: 'completed',
      run_dir: `00${index + 1}_rate-${rate}`,
    },
    ...{
      error: null,
      verdict,
      length: 1,
      missed: verdict === 'FAIL' ? ['p95(ttft) <= 500ms: 612 ms > 500 ms'] : [],
    },
    metrics: {
      throughput_rps: rate,
      p95_ms,
      ttft_p95_ms: Number(p95_ms) / 4,
      tokens_per_sec: 90,
      ttft_p50_ms: 40,
      error_rate: 0,
    },
  })),
  knee: {
    axis: 'rate',
    best: 4,
    failing: 8,
    precision: 1,
    limiting: ['p95(ttft) <= 500ms: 612 ms > 500 ms'],
    run_dir: '002_rate-4',
  },
}

describe('kvctl report', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const report = (...args: string[]): Promise<CliResult> => runCli(['report', ...args], {cwd: folder()})
  const run = async (
    name: string,
    options: Partial<Parameters<typeof writeRunFixture>[1]> = {},
  ): Promise<string> => (await writeRunFixture(join(folder(), name), {...OPTIONS, ...options})).path

  it('writes Markdown, CSV and JSON', async () => {
    const path = await run('one')
    for (const format of ['md', 'csv', 'json'])
      expect(await report('--run-dir', 'one', '--format', format)).to.include({code: 0})
    const md = readFileSync(join(path, 'report.md'), 'utf8')
    expect(md)
      .to.match(/^# toy$/m)
      .and.match(/^\| Latency p95 \| /m)
      .and.match(/^\| http\\_5xx \| 4 \| &lt;b>503/m)
    const results = JSON.parse(readFileSync(join(path, 'report.json'), 'utf8')) as {p95_ms: number}
    expect(readFileSync(join(path, 'report.csv'), 'utf8'))
      .to.include(`\np95_ms,,value,${results.p95_ms}\n`)
      .and.include('\nttft,ms,p95,')
  })

  it('fills a template by file, by name, and by the path that kserve-vllm-mini documents', async () => {
    const path = await run('one')
    const page = (): string => readFileSync(join(path, 'report.html'), 'utf8')
    writeFileSync(
      join(folder(), 'own.html'),
      '<p>{{metadata.total_requests}} {{none}}</p>{{#each outcomes}}{{@key}} {{this}},{{/each}}{{{charts.latency}}}',
    )
    expect(await report('--run-dir', 'one', '--template', 'own.html')).to.include({code: 0})
    expect(page()).to.match(
      /^<p>120 N\/A<\/p>http_5xx 4,ok 116,<figure|^<p>120 N\/A<\/p>ok 116,http_5xx 4,<figure/,
    )
    for (const name of ['summary', 'templates/summary.html']) {
      expect(await report('--run-dir', 'one', '--template', name)).to.include({code: 0})
      expect(page()).to.include('kvctl benchmark summary').and.include('id="latency-cdf"')
    }
    for (const name of ['detailed', 'templates/detailed.html']) {
      expect(await report('--run-dir', 'one', '--template', name)).to.include({code: 0})
      expect(page()).to.include('How each number is defined')
    }
    writeFileSync(join(folder(), 'bad.html'), '<p>\n{{#if a}}</p>')
    const bad = await report('--run-dir', 'one', '--template', 'bad.html')
    expect(bad).to.include({code: 2})
    expect(bad.stderr).to.match(/bad\.html:2: /)
    expect((await report('--run-dir', 'one', '--template', 'none')).stderr).to.include(
      'one of detailed, summary',
    )
  })

  it('compares several runs of each side, drawn as one distribution a side', async () => {
    for (const name of ['a1', 'a2', 'b1', 'b2'])
      await run(name, {ttftFactor: name.startsWith('b') ? 1.4 : 1, seed: name.charCodeAt(1)})
    const {code, stderr} = await report('--run-dir', 'b1,b2', '--baseline', 'a1,a2', '--output', 'pairs.html')
    expect(code, stderr).to.equal(0)
    const page = readFileSync(join(folder(), 'pairs.html'), 'utf8')
    expect(page).to.include('b1 and 1 more against a1 and 1 more').and.include('FAIL')
    expect(page).to.match(/a1, \S+\/a2</)
    expect(page.match(/232 \(whole answer\)/g), 'successes of both runs, on each side').to.have.length(2)
    const missing = await report('--run-dir', 'b1,none', '--baseline', 'a1')
    expect(missing).to.include({code: 4})
    expect(missing.stderr).to.include('none')
  })

  describeWith([CHROMIUM], 'in Chromium', () => {
    let browser: Browser
    before(async () => {
      browser = await launchChromium()
    })
    after(() => browser.close())

    /** Opens a file in one dress; nothing may be said on the console nor asked of the network. */
    async function open(
      file: string,
      colorScheme: 'light' | 'dark',
      media: 'screen' | 'print',
    ): Promise<Page> {
      const context = await browser.newContext({
        viewport: {width: 1200, height: 900},
        colorScheme,
        bypassCSP: true,
      })
      const page = await context.newPage()
      const url = pathToFileURL(file).href
      const complaints: string[] = []
      page.on('console', message => complaints.push(message.text()))
      page.on('pageerror', error => complaints.push(error.message))
      page.on('request', request => {
        if (request.url() !== url) complaints.push(request.url())
      })
      await page.goto(url)
      await page.emulateMedia({media, colorScheme})
      expect(complaints, 'console and network').to.deep.equal([])
      return page
    }

    it('shows a run, its summary, a comparison and a sweep in light, dark and print without a violation that axe-core finds', async () => {
      await run('before')
      const slow = await run('after', {ttftFactor: 1.4, seed: 12})
      const sweep = join(folder(), 'sweep')
      mkdirSync(sweep)
      writeFileSync(join(sweep, 'sweep.json'), JSON.stringify(SWEEP))
      for (const args of [
        ['--run-dir', 'after'],
        ['--run-dir', 'after', '--template', 'summary', '--output', 'after/summary.html'],
        ['--run-dir', 'after', '--baseline', 'before'],
        ['--run-dir', 'sweep'],
      ]) {
        const {code, stderr} = await report(...args)
        expect(code, stderr).to.equal(0)
      }
      const pages = [
        [join(slow, 'report.html'), 7, 4],
        [join(slow, 'summary.html'), 1, 0],
        [join(slow, 'comparison.html'), 2, 2],
        [join(sweep, 'report.html'), 1, 3],
      ] as const
      for (const [file, leastCharts, leastTables] of pages) {
        for (const [colorScheme, media] of [
          ['light', 'screen'],
          ['dark', 'screen'],
          ['dark', 'print'],
        ] as const) {
          const page = await open(file, colorScheme, media)
          const shown = await page.evaluate<{charts: number; tables: number}>(`({
            charts: [...document.querySelectorAll('figure.chart svg')].filter(svg => svg.getBoundingClientRect().width > 200).length,
            tables: document.querySelectorAll('table').length,
          })`)
          expect(shown.charts, `charts of ${file}`).to.be.at.least(leastCharts)
          expect(shown.tables, `tables of ${file}`).to.be.at.least(leastTables)
          await page.evaluate(axe.source)
          const found = await page.evaluate<{id: string; nodes: {html: string}[]}[]>(
            `axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations.map(({id, nodes}) => ({id, nodes: nodes.map(({html}) => ({html: html.slice(0, 160)}))})))`,
          )
          expect(found, `${file} ${colorScheme} ${media}`).to.deep.equal([])
          if (process.env['KVCTL_SCREENSHOTS'])
            await page.screenshot({
              path: join(
                process.env['KVCTL_SCREENSHOTS'],
                `${file.split('/').slice(-2).join('-')}-${colorScheme}-${media}.png`,
              ),
              fullPage: true,
            })
          await page.context().close()
        }
      }
    })
  })
})
