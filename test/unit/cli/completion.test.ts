import {expect} from 'chai'
import {complete, type CompletableCommand, type ValueSource} from '../../../src/cli/completion.js'

const commands: CompletableCommand[] = [
  {
    id: 'limit',
    summary: 'set a limit',
    args: {name: {}, size: {}},
    flags: {
      wait: {type: 'boolean', summary: 'wait for the engine', allowNo: true},
      timeout: {type: 'option', char: 't'},
      secret: {type: 'boolean', hidden: true},
    },
  },
  {id: 'delete', args: {name: {}}, flags: {}},
  {id: 'watch', args: {name: {multiple: true}}, flags: {}},
  {
    id: 'profiles:list',
    summary: 'list profiles',
    args: {},
    flags: {format: {type: 'option', options: ['csv', 'json']}},
  },
  {id: 'complete', hidden: true, args: {}, flags: {}},
]
const values: ValueSource = async (command, name) => {
  if (name !== 'name') return []
  return command === 'limit' ? ['vllm-0', 'vllm-1', 'sglang'] : ['vllm-0']
}

const offered = async (...words: string[]): Promise<string[]> =>
  (await complete(words, commands, values)).map(({value}) => value)

describe('completion', () => {
  it('offers commands and topics, but none that is hidden', async () => {
    expect(await offered('')).to.deep.equal(['limit', 'delete', 'watch', 'profiles'])
  })

  it('offers the commands of a topic', async () => {
    expect(await offered('profiles', '')).to.deep.equal(['list'])
  })

  it('offers what exists now for an argument, cut to what was typed', async () => {
    expect(await offered('limit', 'vllm')).to.deep.equal(['vllm-0', 'vllm-1'])
  })

  it('counts only positional words: a flag and its value are not the name', async () => {
    expect(await offered('limit', '--timeout', '5', '--wait', 's')).to.deep.equal(['sglang'])
  })

  it('offers a name once, unless the command takes several', async () => {
    expect(await offered('delete', '')).to.deep.equal(['vllm-0'])
    expect(await offered('delete', 'vllm-0', '')).to.deep.equal([])
    expect(await offered('watch', 'vllm-0', '')).to.deep.equal(['vllm-0'])
  })

  it('offers flags after a dash, with their negations and without hidden ones', async () => {
    expect(await offered('limit', '--')).to.deep.equal(['--wait', '--no-wait', '--timeout'])
  })

  it('offers nothing for a value it cannot know, so that the shell offers files', async () => {
    expect(await offered('limit', '-t', '')).to.deep.equal([])
  })

  it('offers the options of a flag in both spellings', async () => {
    expect(await offered('profiles', 'list', '--format', 'c')).to.deep.equal(['csv'])
    expect(await offered('profiles', 'list', '--format=j')).to.deep.equal(['--format=json'])
  })
})
