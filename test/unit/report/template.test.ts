import {expect} from 'chai'
import {renderTemplate} from '../../../src/lib/report/index.js'

const MARKUP = new Map([['charts.latency', '<svg></svg>']])
const VALUES = {
  run_id: 'r<1>',
  performance: {p95_latency_ms: 12.5, avg_ttft_ms: null},
  warnings: [
    {code: 'a', message: '1 & 2'},
    {code: 'b', message: '"3"'},
  ],
  outcomes: {ok: 9, http_5xx: 1},
  tags: ['x', 'y'],
  validation: {passed: false, rules: []},
}
const filled = (template: string): string =>
  renderTemplate(template, 'own.html', {values: VALUES, markup: MARKUP})

describe('a report template', () => {
  it('shows keys by their path, escaped, and N/A where there is none', () => {
    expect(
      filled(
        '<b>{{run_id}}</b> {{ performance.p95_latency_ms }} {{performance.avg_ttft_ms}} {{none.such.key}}',
      ),
    ).to.equal('<b>r&lt;1&gt;</b> 12.5 N/A N/A')
  })

  it('shows a part if, or else another', () => {
    expect(
      filled('{{#if performance.p95_latency_ms}}yes{{/if}}{{#if validation.passed}}PASS{{else}}FAIL{{/if}}'),
    ).to.equal('yesFAIL')
    expect(filled('{{#if validation.rules}}rules{{/if}}{{#if none}}x{{/if}}')).to.equal('')
  })

  it('goes over lists and objects, the innermost name first', () => {
    expect(filled('{{#each warnings}}[{{code}}:{{message}}:{{run_id}}]{{/each}}')).to.equal(
      '[a:1 &amp; 2:r&lt;1&gt;][b:&quot;3&quot;:r&lt;1&gt;]',
    )
    expect(
      filled(
        '{{#each outcomes}}{{@key}}={{this}};{{/each}}{{#each tags}}{{this}}{{#if @key}}{{@key}}{{/if}}{{/each}}',
      ),
    ).to.equal('ok=9;http_5xx=1;x0y1')
    expect(filled('{{#each none}}x{{/each}}{{#each run_id}}x{{/each}}')).to.equal('')
  })

  it('takes drawings of ours alone unescaped', () => {
    expect(filled('{{{charts.latency}}}')).to.equal('<svg></svg>')
    expect(() => filled('\n{{{run_id}}}')).to.throw('own.html:2: {{{run_id}}} is none of charts.latency')
  })

  it('reaches nothing but keys of its own: no code, no prototype', () => {
    for (const path of [
      'constructor',
      '__proto__',
      'run_id.constructor',
      'toString',
      'performance.__proto__.x',
    ])
      expect(filled(`{{${path}}}`), path).to.equal('N/A')
    for (const text of [
      '{{process.exit()}}',
      '{{1+1}}',
      '{{a[0]}}',
      '{{"a"}}',
      "{{run_id || 'x'}}",
      '{{> other}}',
    ])
      expect(() => filled(text), text).to.throw(/^own\.html:1: /)
  })

  for (const [text, line] of [
    ['{{#if a}}x', 1],
    ['a\nb\n{{/if}}', 3],
    ['{{#each a}}\n{{#if b}}\n{{/each}}', 3],
    ['{{else}}', 1],
    ['\n{{#unless a}}{{/unless}}', 2],
    ['{{#if a b}}{{/if}}', 1],
    ['{{#if a}}'.repeat(20) + '{{/if}}'.repeat(20), 1],
  ] as const) {
    it(`says by line what is wrong with ${JSON.stringify(text.slice(0, 40))}`, () => {
      expect(() => filled(text))
        .to.throw(new RegExp(`^own\\.html:${line}: `))
        .with.property('code', 'TEMPLATE_INVALID')
    })
  }
})
