import {expect} from 'chai'
import * as fc from 'fast-check'
import {stringifyExact} from '../../../src/lib/foundation/index.js'

describe('exact JSON', () => {
  it('prints every digit of a bigint, as a number', () => {
    expect(stringifyExact({limit_bytes: 2n ** 63n - 1n, used_bytes: -5n})).to.equal(
      '{"limit_bytes":9223372036854775807,"used_bytes":-5}',
    )
  })

  it('indents like JSON.stringify, empty lists and objects included', () => {
    const value = {list: [1, {deep: []}], none: {}, gone: undefined, at: new Date(0)}
    expect(stringifyExact(value, 2)).to.equal(JSON.stringify(value, null, 2))
    expect(stringifyExact([], 2)).to.equal('[]')
    expect(stringifyExact(undefined)).to.equal('null')
  })

  it('equals JSON.stringify wherever that works', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({min: 0, max: 4}), (value, indent) => {
        expect(stringifyExact(value, indent)).to.equal(JSON.stringify(value, null, indent))
      }),
    )
  })
})
