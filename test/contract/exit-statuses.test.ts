import {expect} from 'chai'
import {EXIT} from '../../src/lib/foundation/index.js'
import {readRepositoryFile} from '../support/cli.js'

describe('the exit statuses', () => {
  it('in the README are those of the program', () => {
    const section = readRepositoryFile('README.md').split('## Exit statuses')[1]!.split('\n## ')[0]!
    const documented = [...section.matchAll(/^\| (\d+(?:, \d+)*) \|/gm)].flatMap(([, statuses]) =>
      statuses!.split(', '),
    )
    expect(documented.map(Number)).to.deep.equal(Object.values(EXIT))
  })
})
