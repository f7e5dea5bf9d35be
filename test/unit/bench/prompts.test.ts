import {expect} from 'chai'
import {createPromptWriter, wordsForTokens} from '../../../src/lib/bench/prompts.js'

describe('prompts', () => {
  it('are the same for the same seed and request, and have the wanted words', () => {
    const text = createPromptWriter(7).text(3, 50)
    expect(text).to.equal(createPromptWriter(7).text(3, 50))
    expect(text.split(' ')).to.have.length(50)
  })

  it('share no beginning: not within a run, not with another seed', () => {
    const starts = (seed: number): string[] => {
      const writer = createPromptWriter(seed)
      return Array.from({length: 5000}, (_, i) =>
        writer
          .text(i + 1, 20)
          .split(' ')
          .slice(0, 6)
          .join(' '),
      )
    }
    const all = [...starts(1), ...starts(2)]
    expect(new Set(all).size).to.equal(all.length)
  })

  it('grow until the server counts the wanted tokens: 9 of a template and 2 a word make 196 words', async () => {
    const count = async (text: string): Promise<number> => 9 + 2 * text.split(' ').length
    expect(await wordsForTokens(401, createPromptWriter(1), count)).to.deep.equal({
      fit: {words: (401 - 9) / 2, tokensPerWord: 2, overheadTokens: 9},
      isEstimated: false,
    })
  })

  it('take the mean of several texts where words are not equally long', async () => {
    const lengths: number[] = []
    const count = async (text: string): Promise<number> => {
      // Off by three, to either side in turn.
      lengths.push(text.split(' ').length)
      return lengths.at(-1)! + (lengths.length % 2 === 0 ? 3 : -3)
    }
    const {fit} = await wordsForTokens(200, createPromptWriter(1), count, 2)
    expect(fit).to.deep.equal({words: 200, tokensPerWord: 1, overheadTokens: 0})
    expect(lengths).to.deep.equal([16, 16, 154, 154, 200, 200])
  })

  it('say when their length is a guess', async () => {
    const {isEstimated, fit} = await wordsForTokens(130, createPromptWriter(1), async () => null)
    expect({isEstimated, words: fit.words}).to.deep.equal({isEstimated: true, words: 130 / 1.3})
  })
})
