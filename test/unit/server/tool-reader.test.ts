import {expect} from 'chai'
import fc from 'fast-check'
import {createGrammar, schemaGrammar} from '../../../src/lib/grammar/index.js'
import {
  callsGrammar,
  REQUIRED_FORMAT,
  TOOL_FORMATS,
  type ToolFormat,
} from '../../../src/server/generation/tool-format.js'
import {
  formattedToolReader,
  namedToolReader,
  type ToolReader,
} from '../../../src/server/generation/tool-reader.js'
import {textOf} from '../../support/grammar.js'

/** Content and calls of a text that came in pieces of the given lengths. */
function read(
  reader: ToolReader,
  text: string,
  lengths: readonly number[],
): {content: string; calls: string[][]} {
  let content = ''
  const calls: string[][] = []
  for (let at = 0, turn = 0; at < text.length; turn++) {
    const end = at + lengths[turn % lengths.length]!
    for (const delta of reader.push(text.slice(at, end), end >= text.length)) {
      if (delta.kind === 'content') content += delta.text
      else if (delta.kind === 'call') calls[delta.index] = [delta.name, '']
      else calls[delta.index]![1]! += delta.text
    }
    at = end
  }
  return {content, calls}
}

const formats: [string, ToolFormat][] = [...Object.entries(TOOL_FORMATS), ['required', REQUIRED_FORMAT]]
const lengths = fc.array(fc.integer({min: 1, max: 12}), {minLength: 1, maxLength: 8})

describe('tool calls in the text of an answer', () => {
  for (const [name, format] of formats) {
    const write = (calls: readonly (readonly [string, string])[]): string =>
      format.start +
      calls
        .map(
          ([tool, args]) =>
            `${format.head}${JSON.stringify(tool).slice(1, -1)}${format.key}${args}${format.tail}`,
        )
        .join(format.separator) +
      format.end

    it(`are found in the ${name} format, in whatever pieces the text comes`, () => {
      const args = fc
        .dictionary(fc.string(), fc.jsonValue(), {maxKeys: 3})
        .map(value => JSON.stringify(value))
      const calls = fc.array(fc.tuple(fc.string({minLength: 1}), args), {minLength: 1, maxLength: 3})
      fc.assert(
        fc.property(calls, lengths, (list, pieces) => {
          expect(read(formattedToolReader(format), write(list), pieces)).to.deep.equal({
            content: '',
            calls: list,
          })
        }),
      )
    })

    it(`are read as far as they go where the ${name} format was cut`, () => {
      const whole = write([['f', '{"a": "}\\" x"}']])
      const cut = whole.slice(0, whole.indexOf('x') + 1)
      expect(read(formattedToolReader(format), cut, [3]).calls).to.deep.equal([['f', '{"a": "}\\" x']])
    })

    it(`are written in the ${name} format by its grammar`, () => {
      const tools = ['f', 'g "quoted"'].map(tool => ({
        name: tool,
        arguments: schemaGrammar({type: 'object'}),
      }))
      createGrammar(callsGrammar(format, tools, 2))
      for (let seed = 0; seed < 100; seed++) {
        const {content, calls} = read(
          formattedToolReader(format),
          textOf(callsGrammar(format, tools, 2), seed),
          [5],
        )
        expect(content).to.equal('')
        expect(calls.length).to.be.within(1, 2)
        for (const [tool, args] of calls) {
          expect(tool).to.be.oneOf(['f', 'g "quoted"'])
          expect(JSON.parse(args!)).to.be.an('object')
        }
      }
    })
  }

  it('leave text without calls as it is, and text before the first call as content', () => {
    const {hermes} = TOOL_FORMATS
    const text = 'a < b <tool {"name": <tool_call>'
    fc.assert(
      fc.property(lengths, pieces => {
        expect(read(formattedToolReader(hermes), text, pieces)).to.deep.equal({content: text, calls: []})
        const call = `${hermes.head}f${hermes.key}{}${hermes.tail}`
        expect(read(formattedToolReader(hermes), `${text} ${call}`, pieces)).to.deep.equal({
          content: `${text} `,
          calls: [['f', '{}']],
        })
      }),
    )
  })

  it('are the whole text where the function was named', () => {
    expect(read(namedToolReader('f'), '{"a": 1}', [3])).to.deep.equal({
      content: '',
      calls: [['f', '{"a": 1}']],
    })
  })
})
