import {expect} from 'chai'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {z} from 'zod'
import {checkYaml, parseYaml, readYamlFile, settle} from '../../../src/lib/config/index.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('YAML files', () => {
  const folder = temporaryFolder()

  it('know the line of every value, and of the parent of a missing one', () => {
    const file = parseYaml('a:\n  b: 1\n\n  c:\n    - x\n    - y\n', 'f.yaml')
    expect(
      [
        ['a', 'b'],
        ['a', 'c', 1],
        ['a', 'c', 9],
      ].map(path => file.lineOf(path)),
    ).to.deep.equal([2, 6, 5])
  })

  for (const [what, text, message] of [
    ['a syntax error', 'a: 1\nb: [1,\n', /^f\.yaml:3: /],
    ['a key given twice', 'a: 1\nb: 2\na: 3\n', /^f\.yaml:3: .*unique/],
    ['a tag of a programming language', 'a: 1\nb: !!python/object:os.system x\n', /^f\.yaml:2: .*tag/],
    ['two documents', 'a: 1\n---\nb: 2\n', /^f\.yaml:\d: .*document/],
    ['aliases that multiply', bomb(), /^f\.yaml:1: .*alias/],
  ] as const) {
    it(`refuse ${what} with its line`, () => {
      expect(() => parseYaml(text, 'f.yaml'))
        .to.throw(message)
        .with.property('code', 'YAML_INVALID')
    })
  }

  it('refuse more than 1 MiB without parsing it', async () => {
    const path = join(folder(), 'large.yaml')
    writeFileSync(path, `a: ${'x'.repeat(1 << 20)}`)
    expect(await rejection(readYamlFile(path))).to.include({code: 'CONFIG_UNREADABLE', exitCode: 2})
  })

  it('are missed by name', async () => {
    const error = await rejection(readYamlFile(join(folder(), 'none.yaml')))
    expect(error).to.include({code: 'CONFIG_UNREADABLE', exitCode: 2})
    expect((error as Error).message).to.match(/none\.yaml does not exist$/)
  })

  it('give every problem that a schema finds a line of its own', () => {
    const schema = z.strictObject({a: z.number(), b: z.strictObject({c: z.string()})})
    const file = parseYaml('a: one\nb:\n  c: 1\n  d: 2\n', 'f.yaml')
    expect(() => checkYaml(file, schema, 'WRONG'))
      .to.throw(/^f\.yaml:1: a: .*\nf\.yaml:3: b\.c: .*\nf\.yaml:4: b\.d: .*$/)
      .with.property('code', 'WRONG')
  })
})

describe('settings', () => {
  it('are decided by flag, then environment, then profile, then default', () => {
    const all = {flag: 1, environment: 2, profile: 3, default: 4}
    expect(settle(all)).to.deep.equal({value: 1, source: 'flag'})
    expect(settle({...all, flag: undefined})).to.deep.equal({value: 2, source: 'environment'})
    expect(settle({...all, flag: undefined, environment: null})).to.deep.equal({value: 3, source: 'profile'})
    expect(settle({default: 4})).to.deep.equal({value: 4, source: 'default'})
  })

  it('count 0 and false as said', () => {
    expect(settle({flag: 0, default: 4}).value).to.equal(0)
    expect(settle({profile: false, default: true}).value).to.equal(false)
  })
})

function bomb(): string {
  const lines = ['a: &a [x, x, x, x, x, x, x, x, x]']
  for (let letter = 1; letter < 9; letter++) {
    const [name, before] = ['abcdefghi'[letter]!, 'abcdefghi'[letter - 1]!]
    lines.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]`)
  }
  return lines.join('\n')
}
