import {chmodSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import type {CompletableCommand} from '../../../../src/cli/completion.js'
import {findCommand, type ShellOrder} from '../../../../src/cli/shell/find-command.js'
import {HISTORY_NAME, historyFile} from '../../../../src/cli/shell/history-file.js'
import {shellHelp} from '../../../../src/cli/shell/run-shell.js'
import {completeLine} from '../../../../src/cli/shell/shell-completer.js'
import {splitWords} from '../../../../src/cli/shell/split-words.js'
import {temporaryFolder} from '../../../support/temporary.js'

const IDS = ['list', 'limit', 'watch', 'profiles:list', 'profiles:show', 'deploy', 'deploy:status']
const order = (line: string): ShellOrder => findCommand(line, splitWords, IDS)

describe('words of a shell line', () => {
  it('are parted by blanks and kept together by quotes, as in a shell', () => {
    const lines: Readonly<Record<string, string[]>> = {
      'limit  vllm-0\t8G': ['limit', 'vllm-0', '8G'],
      [`a "b c" 'd e' f\\ g`]: ['a', 'b c', 'd e', 'f g'],
      [`"a\\"b" 'a\\b' "a\\nb" x"y z"w`]: ['a"b', 'a\\b', 'a\\nb', 'xy zw'],
      [`'' ""`]: ['', ''],
      'a\\': ['a\\'],
      '   ': [],
      '$HOME * ~ `id`': ['$HOME', '*', '~', '`id`'],
    }
    for (const [line, words] of Object.entries(lines)) expect(splitWords(line), line).to.deep.equal(words)
  })

  it('with an open quote are refused, with the line', () => {
    for (const line of [`limit "a`, `'`]) {
      expect(() => splitWords(line))
        .to.throw(line)
        .with.property('code', 'QUOTE_UNCLOSED')
    }
  })
})

describe('a line of the shell', () => {
  it('is a command with its arguments, with or without kvctl before it', () => {
    expect(order('limit vllm-0 8G')).to.deep.equal({kind: 'command', id: 'limit', args: ['vllm-0', '8G']})
    expect(order('kvctl list --json')).to.deep.equal({kind: 'command', id: 'list', args: ['--json']})
    expect(order('profiles show x')).to.deep.equal({kind: 'command', id: 'profiles:show', args: ['x']})
    expect(order('deploy status')).to.deep.equal({kind: 'command', id: 'deploy:status', args: []})
    expect(order('deploy x')).to.deep.equal({kind: 'command', id: 'deploy', args: ['x']})
  })

  it('takes the interval of watch as a bare number, as kvcached does', () => {
    expect(order('watch 2 a')).to.deep.include({args: ['--interval', '2', 'a']})
    expect(order('watch a 2')).to.deep.include({args: ['a', '2']})
    expect(order('watch -n 2')).to.deep.include({args: ['-n', '2']})
  })

  it('asks for help, leaves, goes to the system, or is nothing', () => {
    expect(order('help')).to.deep.equal({kind: 'help', words: []})
    expect(order('help limit')).to.deep.equal({kind: 'help', words: ['limit']})
    expect(order('limit --help')).to.deep.equal({kind: 'help', words: ['limit']})
    expect(order('limit -- --help')).to.include({kind: 'command'})
    expect(order('profiles')).to.deep.equal({kind: 'help', words: ['profiles']})
    for (const word of ['exit', 'quit']) expect(order(word)).to.deep.equal({kind: 'leave'})
    expect(order(' !ls "a b" ')).to.deep.equal({kind: 'system', line: 'ls "a b"'})
    for (const line of ['', '  ', '# note', 'kvctl']) expect(order(line)).to.deep.equal({kind: 'nothing'})
  })

  it('that is no command is unknown, and never goes to the system by itself', () => {
    expect(order('ls -l')).to.deep.equal({kind: 'unknown', word: 'ls'})
  })
})

describe('Tab in the shell', () => {
  const commands: CompletableCommand[] = [
    {id: 'limit', summary: 'set a limit', args: {name: {}, size: {}}, flags: {wait: {type: 'boolean'}}},
    {id: 'list', args: {name: {multiple: true}}, flags: {}},
  ]
  const names = async (): Promise<string[]> => ['vllm-0', 'vLLM-1', 'sglang']
  const tab = async (line: string): Promise<[string[], string]> => completeLine(line, commands, names)

  it('completes commands and the words of the shell', async () => {
    expect(await tab('li')).to.deep.equal([['limit', 'list'], 'li'])
    expect(await tab('ex')).to.deep.equal([['exit '], 'ex'])
    expect((await tab(''))[0]).to.include.members(['limit', 'list', 'exit', 'quit'])
    expect(await tab('kvctl lim')).to.deep.equal([['limit '], 'lim'])
  })

  it('completes names in any letters, with - as part of a word, and flags', async () => {
    expect(await tab('list V')).to.deep.equal([['vllm-0', 'vLLM-1'], 'V'])
    expect(await tab('list vllm-1')).to.deep.equal([['vLLM-1 '], 'vllm-1'])
    expect(await tab('limit --w')).to.deep.equal([['--wait '], '--w'])
    expect(await tab('limit x')).to.deep.equal([[], 'x'])
  })
})

describe('the help of the shell', () => {
  it('lists commands, !, help and exit', () => {
    const text = shellHelp(
      [
        {id: 'list', summary: 'show segments', args: {}, flags: {}},
        {id: 'secret', hidden: true, args: {}, flags: {}},
      ],
      80,
    )
    expect(text).to.match(/^ {2}list +show segments$/m)
    for (const word of ['help', '!<shell cmd>', 'exit | quit']) expect(text).to.contain(`  ${word}`)
    expect(text).to.not.contain('secret')
  })

  it('breaks what does not fit between words, below its beginning', () => {
    const summary = 'show segments again and again until somebody leaves'
    const lines = shellHelp([{id: 'watch', summary, args: {}, flags: {}}], 60).split('\n')
    expect(lines.slice(1, 3)).to.deep.equal([
      `  ${'watch'.padEnd(22)} show segments again and again`,
      `${' '.repeat(25)}until somebody leaves`,
    ])
    for (const line of lines) expect(line.length).to.be.at.most(60)
  })
})

describe('the history of the shell', () => {
  const folder = temporaryFolder()

  it('is kept line by line in a file that nobody else reads', () => {
    const history = historyFile(folder())
    expect(history.load()).to.deep.equal([])
    history.append('list')
    history.append('limit a 1G')
    expect(historyFile(folder()).load()).to.deep.equal(['list', 'limit a 1G'])
    const path = join(folder(), HISTORY_NAME)
    expect(statSync(path).mode & 0o777).to.equal(0o600)
    chmodSync(path, 0o644)
    history.load()
    expect(statSync(path).mode & 0o777).to.equal(0o600)
  })

  it('is the last thousand lines', () => {
    const path = join(folder(), HISTORY_NAME)
    writeFileSync(path, Array.from({length: 3000}, (_, at) => `list ${at}\n`).join(''))
    expect(historyFile(folder()).load()).to.have.length(1000).and.include('list 2999')
    expect(readFileSync(path, 'utf8').split('\n')).to.have.length(1001)
  })

  it('is empty where there is no home', () => {
    const history = historyFile('/proc/none')
    history.append('list')
    expect(history.load()).to.deep.equal([])
  })
})
