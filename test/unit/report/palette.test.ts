import {expect} from 'chai'
import {PALETTE, sentinel, themeColours, type Role} from '../../../src/lib/report/palette.js'

/** Relative luminance of `#rrggbb` as WCAG 2 defines it. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map(at => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}

function contrast(one: string, other: string): number {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a)
  return (high! + 0.05) / (low! + 0.05)
}

describe('the palette', () => {
  for (const appearance of ['light', 'dark'] as const) {
    it(`can be read on both ${appearance} backgrounds: text and lines at 4.5 : 1 at least`, () => {
      for (const ground of ['paper', 'surface'] as const) {
        for (const role of ['ink', 'muted', 'first', 'second', 'third', 'good', 'bad', 'warn'] as const) {
          const ratio = contrast(PALETTE[role][appearance], PALETTE[ground][appearance])
          expect(ratio, `${role} on ${ground}`).to.be.at.least(4.5)
        }
      }
    })
  }

  it('replaces the colours a chart was drawn in by the variables of the page, each by its own', () => {
    const roles = Object.keys(PALETTE) as Role[]
    const drawn = roles.map(role => `<path fill="${sentinel(role)}"/>`).join('')
    expect(themeColours(drawn)).to.equal(roles.map(role => `<path fill="var(--${role})"/>`).join(''))
  })
})
