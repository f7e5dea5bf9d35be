import {expect} from 'chai'
import {
  ConfigurationError,
  errorDocument,
  InterruptedError,
  NetworkError,
  ResourceError,
  ValidationError,
} from '../../../src/lib/foundation/index.js'

describe('errors', () => {
  const classes = [
    [ConfigurationError, 2],
    [NetworkError, 3],
    [ResourceError, 4],
    [ValidationError, 5],
  ] as const
  for (const [Class, exitCode] of classes) {
    it(`leave with ${exitCode} when they are a ${Class.name}`, () => {
      const error = new Class('CODE', 'what happened', {suggestions: ['do this']})
      expect(error).to.include({name: Class.name, code: 'CODE', exitCode})
      expect(errorDocument(error)).to.deep.equal({
        error: {code: 'CODE', message: 'what happened', exit_code: exitCode, suggestions: ['do this']},
      })
    })
  }

  it('keep their cause', () => {
    const cause = new Error('deeper')
    expect(new NetworkError('CODE', 'message', {cause}).cause).to.equal(cause)
  })

  it('nobody foresaw are UNEXPECTED and leave with 1', () => {
    expect(errorDocument(new TypeError('oops')).error).to.include({
      code: 'UNEXPECTED',
      exit_code: 1,
      message: 'oops',
    })
    expect(errorDocument('a string').error).to.include({code: 'UNEXPECTED', message: 'a string'})
  })

  it('by signal leave as a shell expects', () => {
    expect(new InterruptedError('SIGINT').exitCode).to.equal(128 + 2)
    expect(new InterruptedError('SIGTERM').exitCode).to.equal(128 + 15)
  })
})
