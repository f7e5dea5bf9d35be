import {expect} from 'chai'
import fc from 'fast-check'
import {escapeHtml, html, trustedMarkup} from '../../../src/lib/report/html.js'

describe('html', () => {
  it('escapes the five characters that mean something in markup', () => {
    expect(escapeHtml(`<a href='x' title="y">&</a>`)).to.equal(
      '&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;&lt;/a&gt;',
    )
  })

  it('replaces what HTML forbids: control characters and halves of characters', () => {
    expect(escapeHtml('a\u0000b\u001bc\ud800d\u{1f600}')).to.equal('a\ufffdb\ufffdc\ufffdd\u{1f600}')
    expect(escapeHtml('tab\tnewline\n')).to.equal('tab\tnewline\n')
  })

  it('lets no value open a tag, close an attribute or start an entity', () => {
    fc.assert(
      fc.property(fc.string({unit: 'binary'}), text => {
        const safe = escapeHtml(text)
        expect(safe).not.to.match(/[<>"']/)
        expect(safe.replace(/&(amp|lt|gt|quot|#39);/g, '')).not.to.include('&')
      }),
    )
  })

  it('escapes every value of a template except markup of our own', () => {
    const item = html`<i>${'<b>'}</i>`
    expect(html`<b title="${'"x"'}">${[item, item]}${null}${3}</b>`.text).to.equal(
      '<b title="&quot;x&quot;"><i>&lt;b&gt;</i><i>&lt;b&gt;</i>3</b>',
    )
    expect(html`${trustedMarkup('<svg></svg>')}`.text).to.equal('<svg></svg>')
  })
})
