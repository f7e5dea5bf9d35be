import {mkdir, rename, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import fc from 'fast-check'
import {openTokenizer, reopenTokenizer} from '../../../src/lib/tokens/index.js'
import {pairTokens, PAIR_TOKENIZER, writePairTokenizer} from '../../support/pair-tokenizer.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('A tokenizer of this machine', () => {
  const folder = temporaryFolder()

  it('is a tokenizer.json, or the folder that holds it', async () => {
    const path = await writePairTokenizer(folder())
    for (const wanted of [path, folder()]) {
      const {choice, count} = await openTokenizer(wanted)
      expect(choice.name).to.equal(path)
      expect(choice.sha256).to.match(/^[0-9a-f]{64}$/)
      fc.assert(fc.property(fc.string({unit: 'grapheme'}), text => count(text) === pairTokens([text])))
    }
  })

  it('counts by the merges of a BPE table, without the tokens that frame a prompt', async () => {
    const vocab = Object.fromEntries(
      ['<s>', 'l', 'o', 'w', 'lo', 'low', 'e', 'r', 'er'].map((piece, id) => [piece, id]),
    )
    const frame = {
      type: 'TemplateProcessing',
      single: [{SpecialToken: {id: '<s>', type_id: 0}}, {Sequence: {id: 'A', type_id: 0}}],
      pair: [],
      special_tokens: {'<s>': {id: '<s>', ids: [0], tokens: ['<s>']}},
    }
    const model = {type: 'BPE', vocab, merges: ['l o', 'lo w', 'e r'], unk_token: null, fuse_unk: false}
    const path = join(folder(), 'bpe.json')
    const special = {id: 0, content: '<s>', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false} // prettier-ignore
    const document = {
      ...PAIR_TOKENIZER,
      pre_tokenizer: null,
      added_tokens: [special],
      post_processor: frame,
      model,
    }
    await writeFile(path, JSON.stringify(document))
    const {count} = await openTokenizer(path)
    // low·er, low·e, l·e·r would be l·er
    expect(['lower', 'lowe', 'ler', 'wol'].map(count)).to.deep.equal([2, 2, 2, 3])
  })

  it('is an encoding of that name, or that of a model', async () => {
    // Both by openai/openai-cookbook:examples/How_to_count_tokens_with_tiktoken.ipynb
    const long = 'antidisestablishmentarianism'
    for (const [name, encoding, tokens] of [
      ['r50k_base', 'r50k_base', 5],
      ['cl100k_base', 'cl100k_base', 6],
      ['gpt-4', 'cl100k_base', 6],
      ['gpt-4o', 'o200k_base', 6],
    ] as const) {
      const {choice, count} = await openTokenizer(name)
      expect([choice.name, count(long)], name).to.deep.equal([encoding, tokens])
    }
    const {count} = await openTokenizer('cl100k_base')
    expect(count('tiktoken is great!')).to.equal(6)
    expect(count('<|endoftext|>'), 'as text').to.be.above(1)
  })

  it('is never looked for elsewhere: what is not here is told with what would do', async () => {
    const cases: readonly (readonly [string, string, RegExp])[] = [
      [
        'meta-llama/Llama-3.1-8B',
        'TOKENIZER_UNKNOWN',
        /'meta-llama\/Llama-3.1-8B' is no file or folder here.*not looked up/,
      ],
      ['o300k_base', 'TOKENIZER_UNKNOWN', /there is no tokenizer 'o300k_base'/],
      ['constructor', 'TOKENIZER_UNKNOWN', /there is no tokenizer 'constructor'/],
      ['/no/such/tokenizer.json', 'TOKENIZER_UNKNOWN', /'\/no\/such\/tokenizer.json': no such file/],
    ]
    for (const [wanted, code, message] of cases) {
      const error = (await rejection(openTokenizer(wanted))) as Error
      expect(error, wanted).to.include({code, exitCode: 2})
      expect(error.message).to.match(message)
    }
  })

  it('says what is wrong with a file that is none', async () => {
    await mkdir(join(folder(), 'empty'))
    const broken = async (name: string, text: string): Promise<string> => {
      await writeFile(join(folder(), name), text)
      return join(folder(), name)
    }
    const cases: readonly (readonly [string, RegExp])[] = [
      [
        join(folder(), 'empty'),
        /empty\/tokenizer.json is no tokenizer.json that can be read: it is not there/,
      ],
      [await broken('torn.json', '{"version": "1.0", "mod'), /torn.json is no tokenizer.json/],
      [
        await broken('other.json', '{"name": "kvctl"}'),
        /other.json is no tokenizer.json that can be read: .*model/,
      ],
      [await broken('list.json', '[]'), /list.json is no tokenizer.json/],
      [
        await broken('new.json', JSON.stringify({...PAIR_TOKENIZER, model: {type: 'Novel'}})),
        /new.json is no tokenizer.json/,
      ],
    ]
    for (const [wanted, message] of cases) {
      const error = (await rejection(openTokenizer(wanted))) as Error
      expect(error, wanted).to.include({code: 'TOKENIZER_UNREADABLE', exitCode: 2})
      expect(error.message).to.match(message).and.not.contain('\n')
    }
  })

  it('is the same as long as its digest is, wherever it lies', async () => {
    const path = await writePairTokenizer(folder())
    const {choice} = await openTokenizer(path)
    expect((await reopenTokenizer(choice)).choice).to.deep.equal(choice)
    await mkdir(join(folder(), 'moved'))
    const moved = join(folder(), 'moved', 'tokenizer.json')
    await rename(path, moved)
    expect((await openTokenizer(moved)).choice.sha256).to.equal(choice.sha256)
    await writeFile(path, `${JSON.stringify(PAIR_TOKENIZER)} `)
    expect(await rejection(reopenTokenizer(choice))).to.include({code: 'TOKENIZER_CHANGED', exitCode: 2})
  })
})
