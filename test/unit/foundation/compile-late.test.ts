import {spawnSync} from 'node:child_process'
import {expect} from 'chai'
import {repositoryRoot} from '../../support/cli.js'

const RUN = `
  const warm = times => {
    let sum = 0
    for (let time = 0; time < 100; time++) sum += time * times
    return sum
  }
  for (let times = 0; times < 500; times++) warm(times)
`

describe('compiling late', () => {
  it('leaves what V8 would have compiled by then as it is, and V8 knows all that it is told', () => {
    const trace = (before: string): string => {
      const args = ['--trace-opt', '--input-type=module', '-e', before + RUN]
      const {stdout, stderr} = spawnSync(process.execPath, args, {cwd: repositoryRoot, encoding: 'utf8'})
      return stdout + stderr
    }
    const compiled = /compiling method .*<JSFunction warm/
    expect(trace('')).to.match(compiled)
    const late = "import {compileLate} from './build/src/lib/foundation/index.js'; compileLate();"
    expect(trace(late))
      .not.to.match(compiled)
      .and.not.to.match(/unrecognized/)
  })
})
