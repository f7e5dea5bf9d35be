import {expect} from 'chai'
import {
  isSecretName,
  withoutSecrets,
  withoutSecretWords,
  withoutUrlSecrets,
} from '../../../src/lib/foundation/index.js'

describe('secrets', () => {
  it('are known by the names of flags and variables', () => {
    for (const name of [
      'api_key',
      'apiKey',
      '--hf-token',
      '-key',
      'DB_PASSWORD',
      'Authorization',
      'aws_access_key',
    ])
      expect(isSecretName(name), name).to.equal(true)
    for (const name of ['max_tokens', 'monkey', '--ssl-keyfile', 'tokenizer', 'secretary'])
      expect(isSecretName(name), name).to.equal(false)
  })

  it('leave the addresses that they stand in, whatever a password is made of', () => {
    expect(withoutUrlSecrets('see http://u:p@ss:w@host:80/a?b=c@d and redis://:x@r')).to.equal(
      'see http://[removed]@host:80/a?b=c@d and redis://[removed]@r',
    )
    for (const text of ['http://host?mail=a@b', 'http://host/a@b', 'a@b', 'x://y'])
      expect(withoutUrlSecrets(text)).to.equal(text)
  })

  it('leave a command line: all values of a flag, behind it or within the word, and those in addresses', () => {
    expect(
      withoutSecretWords(['run', '--api-key', 'a', 'b', '--n', '1', '--token=c=d', '--url=http://u:p@h']),
    ).to.deep.equal([
      'run',
      '--api-key',
      '[removed]',
      '[removed]',
      '--n',
      '1',
      '--token=[removed]',
      '--url=http://[removed]@h',
    ])
  })

  it('leave a document at any depth, and nothing else does', () => {
    const value = {
      a: [{password: 'x', n: 1}, 'http://u@h'],
      token: null,
      length_key: 'n',
      words: ['--token', 'x'],
    }
    expect(withoutSecrets(value)).to.deep.equal({
      ...{a: [{password: '[removed]', n: 1}, 'http://[removed]@h'], token: null, length_key: 'n'},
      words: ['--token', '[removed]'],
    })
    expect(value.words).to.deep.equal(['--token', 'x'])
  })
})
