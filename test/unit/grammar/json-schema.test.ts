import {expect} from 'chai'
import fc from 'fast-check'
import {z} from 'zod'
import {ConfigurationError} from '../../../src/lib/foundation/index.js'
import {anyObjectGrammar, createGrammar, schemaGrammar} from '../../../src/lib/grammar/index.js'
import {textOf} from '../../support/grammar.js'

type Schema = Record<string, unknown>

/** Schemas of everything the grammar knows, whose bounds leave something. */
const schemas = fc.letrec<{schema: Schema}>(tie => ({
  schema: fc.oneof(
    {maxDepth: 4, withCrossShrink: true},
    fc.record({type: fc.constant('integer'), minimum: fc.integer({min: -50, max: 0}), maximum: fc.nat(50)}),
    fc
      .record({
        low: fc.double({min: -10, max: 10, noNaN: true}),
        span: fc.double({min: 1e-6, max: 5, noNaN: true}),
      })
      .map(({low, span}) => ({type: 'number', exclusiveMinimum: low, maximum: low + span})),
    fc.record({type: fc.constantFrom('integer', 'number'), multipleOf: fc.constantFrom(1, 5, 250)}),
    fc.record({type: fc.constant('string'), minLength: fc.nat(4), maxLength: fc.integer({min: 4, max: 30})}),
    fc.constantFrom<Schema>(
      {type: 'string', pattern: '^[A-Z]{2}-\\d{3,5}"?$'},
      {type: 'string', format: 'uuid'},
      {type: 'string', format: 'date-time'},
      {type: 'string', format: 'email'},
      {type: 'boolean'},
      {type: 'null'},
      {type: ['integer', 'null']},
      {const: 'fixed "text" \\ with marks'},
    ),
    fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean()), {minLength: 1, maxLength: 4}).map(list => ({
      enum: list,
    })),
    fc
      .record({items: tie('schema'), minItems: fc.nat(2), more: fc.nat(3)})
      .map(({items, minItems, more}) => ({type: 'array', items, minItems, maxItems: minItems + more})),
    fc
      .record({
        properties: fc.dictionary(fc.string({minLength: 1}), tie('schema'), {
          maxKeys: 4,
          noNullPrototype: true,
        }),
        isRequired: fc.array(fc.boolean(), {minLength: 4, maxLength: 4}),
        additionalProperties: fc.boolean(),
      })
      .map(({properties, isRequired, additionalProperties}) => ({
        type: 'object',
        properties,
        required: Object.keys(properties).filter((_, index) => isRequired[index]),
        additionalProperties,
      })),
    fc.array(tie('schema'), {minLength: 1, maxLength: 3}).map(anyOf => ({anyOf})),
  ),
})).schema

describe('a JSON schema as a grammar', () => {
  it('gives only values that another reader of the schema finds valid', function () {
    this.timeout(60_000)
    fc.assert(
      fc.property(schemas, fc.integer(), (schema, seed) => {
        const validator = z.fromJSONSchema(schema)
        for (let round = 0; round < 3; round++) {
          const said = textOf(schemaGrammar(schema), seed + round)
          const {error} = validator.safeParse(JSON.parse(said))
          expect(error, `${said} for ${JSON.stringify(schema)}`).to.equal(undefined)
        }
      }),
      {numRuns: 1000},
    )
  })

  it('gives any object where nothing else is asked', () => {
    for (let seed = 0; seed < 300; seed++) {
      expect(JSON.parse(textOf(anyObjectGrammar(), seed)))
        .to.be.an('object')
        .that.is.not.an('array')
    }
  })

  const tree = {
    $defs: {node: {type: 'object', properties: {left: {$ref: '#/$defs/node'}, size: {type: 'integer'}}}},
    $ref: '#/$defs/node',
  }
  it('follows references that come back to where they began, and still ends', () => {
    const longest = Math.max(
      ...Array.from({length: 500}, (_, seed) => textOf(schemaGrammar(tree), seed).length),
    )
    // 6 levels of `{"left": ` and `, "size": 999}` each, and one more that the last level may not go beyond
    expect(longest).to.be.at.most(8 * '{"left": , "size": 999}'.length)
  })

  it('ends a list of lists that could go on for ever', () => {
    const schema = {type: 'array', items: {$ref: '#'}, minItems: 0}
    for (let seed = 0; seed < 300; seed++) JSON.parse(textOf(schemaGrammar(schema), seed))
  })

  it('says members in the order of the schema, with required ones always there', () => {
    const schema = {properties: {b: {const: 1}, a: {const: 2}, c: {const: 3}}, required: ['b', 'c']}
    const texts = new Set(Array.from({length: 50}, (_, seed) => textOf(schemaGrammar(schema), seed)))
    expect([...texts].sort()).to.deep.equal(['{"b": 1, "a": 2, "c": 3}', '{"b": 1, "c": 3}'])
  })

  it('says required members that have no schema of their own', () => {
    const schema = {type: 'object', required: ['x'], additionalProperties: {type: 'boolean'}}
    expect(textOf(schemaGrammar(schema), 1)).to.match(/^\{"x": (true|false)\}$/)
  })

  it('has as many members as a least number asks for', () => {
    const open = {type: 'object', minProperties: 4, additionalProperties: {const: 0}}
    const closed = {properties: {a: {const: 0}, b: {const: 0}}, minProperties: 2, additionalProperties: false}
    for (let seed = 0; seed < 50; seed++) {
      expect(Object.keys(JSON.parse(textOf(schemaGrammar(open), seed)) as object)).to.have.length(4)
      expect(textOf(schemaGrammar(closed), seed)).to.equal('{"a": 0, "b": 0}')
    }
  })

  it('describes the beginning of a list by its place', () => {
    const schema = {
      type: 'array',
      prefixItems: [{const: 1}, {const: 2}],
      items: {const: 3},
      minItems: 3,
      maxItems: 4,
    }
    const texts = new Set(Array.from({length: 40}, (_, seed) => textOf(schemaGrammar(schema), seed)))
    expect([...texts].sort()).to.deep.equal(['[1, 2, 3, 3]', '[1, 2, 3]'])
  })

  it('takes oneOf where a discriminator keeps its options apart', () => {
    const shape = (kind: string) => ({type: 'object', properties: {kind: {const: kind}}, required: ['kind']})
    const schema = {oneOf: [shape('circle'), shape('square'), {type: 'null'}]}
    const texts = new Set(Array.from({length: 60}, (_, seed) => textOf(schemaGrammar(schema), seed)))
    expect([...texts].sort()).to.deep.equal(['null', '{"kind": "circle"}', '{"kind": "square"}'])
  })

  it('keeps to listed values that the keywords beside the list allow', () => {
    const schema = {type: 'integer', enum: [1, 2.5, 'x', 7], maximum: 5}
    for (let seed = 0; seed < 20; seed++) expect(textOf(schemaGrammar(schema), seed)).to.equal('1')
  })

  const refused: [string, unknown, RegExp][] = [
    ['a type that is none', {type: 'strin'}, /at #: 'type' "strin" is unknown/],
    ['a schema that is a list', [], /at #: a schema is an object or a boolean/],
    ['false', false, /allows nothing/],
    ['properties that are a list', {properties: []}, /'properties' must be an object/],
    ['a place deep inside', {properties: {a: {items: {type: 5}}}}, /at #\/properties\/a\/items: 'type' 5/],
    ['a bound that is text', {type: 'integer', minimum: '1'}, /'minimum' must be a number/],
    ['a bound that is a flag, as in draft 4', {type: 'integer', exclusiveMinimum: true}, /must be a number/],
    [
      'an integer between two integers',
      {type: 'integer', exclusiveMinimum: 1, exclusiveMaximum: 2},
      /no such number/,
    ],
    ['a length below 0', {type: 'string', minLength: -1}, /0 or more/],
    [
      'more at least than at most',
      {type: 'array', minItems: 3, maxItems: 2},
      /'minItems' is more than 'maxItems'/,
    ],
    ['a reference to elsewhere', {$ref: 'https://example.org/x'}, /leads outside the schema/],
    ['a reference to nothing', {$ref: '#/$defs/x'}, /leads nowhere/],
    ['a reference to a method', {$ref: '#/constructor'}, /leads nowhere/],
    ['a reference to itself', {$ref: '#'}, /nothing finite/],
    ['required members without end', {properties: {a: {$ref: '#'}}, required: ['a']}, /nothing finite/],
    ['a required member that nothing describes', {required: ['a'], additionalProperties: false}, /not among/],
    ['oneOf that overlaps', {oneOf: [{type: 'integer'}, {type: 'number'}]}, /may overlap/],
    [
      'more oneOf than can be compared',
      {oneOf: Array.from({length: 101}, (_, index) => ({const: index}))},
      /may overlap/,
    ],
    ['allOf of several', {allOf: [{}, {}]}, /'allOf' of several/],
    ['not', {not: {type: 'null'}}, /'not' is not supported/],
    ['unique items', {type: 'array', uniqueItems: true}, /'uniqueItems' is not supported/],
    ['a type beside a reference', {$ref: '#/$defs/a', $defs: {a: {}}, type: 'null'}, /'type' beside '\$ref'/],
    ['a pattern with a look ahead', {type: 'string', pattern: '(?=a)'}, /'\(\?=' is not supported/],
    ['a pattern longer than allowed', {type: 'string', pattern: 'a{5}', maxLength: 4}, /cut short/],
    [
      'a limit beside a list that is no number',
      {const: 'x', minLength: {valueOf: 1}},
      /'minLength' must be a number/,
    ],
    ['a pattern beside a list', {enum: ['x'], pattern: 'y'}, /'pattern' beside 'enum'/],
    ['an empty list of values', {enum: []}, /no listed value/],
  ]
  for (const [what, schema, message] of refused) {
    it(`refuses ${what} and says where`, () => {
      expect(() => createGrammar(schemaGrammar(schema))).to.throw(ConfigurationError, message)
    })
  }

  it('refuses schemas that nest too deeply or are too large, whatever their form', () => {
    let deep: unknown = {}
    for (let level = 0; level < 150; level++) deep = {items: deep}
    expect(() => schemaGrammar(deep)).to.throw(ConfigurationError, /too deeply/)
    const wide = {anyOf: Array.from({length: 6000}, () => ({type: 'boolean'}))}
    expect(() => createGrammar(schemaGrammar(wide))).to.throw(ConfigurationError, /more than 5000 parts/)
  })

  it('never fails in another way than by refusing, whatever is sent as a schema', () => {
    const keyword = fc.constantFrom(
      ...[
        'type',
        'properties',
        'required',
        'items',
        'prefixItems',
        'enum',
        'const',
        '$ref',
        '$defs',
        'anyOf',
      ],
      ...[
        'oneOf',
        'allOf',
        'minimum',
        'maximum',
        'multipleOf',
        'minLength',
        'maxLength',
        'pattern',
        'format',
      ],
      ...['minItems', 'maxItems', 'additionalProperties', 'minProperties', 'maxProperties'],
    )
    const value = fc.letrec(tie => ({
      value: fc.oneof(
        {maxDepth: 3},
        fc.constantFrom<unknown>(
          'string',
          'integer',
          'object',
          'array',
          '#',
          '#/$defs/a',
          0,
          1,
          -1,
          1.5,
          true,
        ),
        fc.constantFrom<unknown>(false, null, [], {}, '^a{2,}$', ['a'], 'date'),
        fc.dictionary(keyword, tie('value'), {maxKeys: 3}),
        fc.array(tie('value'), {maxLength: 2}),
      ),
    })).value
    fc.assert(
      fc.property(value, fc.nat(), (schema, seed) => {
        try {
          JSON.parse(textOf(schemaGrammar(schema), seed))
        } catch (error) {
          if (!(error instanceof ConfigurationError)) throw error
        }
      }),
      {numRuns: 3000},
    )
  })
})
