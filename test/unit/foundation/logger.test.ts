import {expect} from 'chai'
import {canColorLog, createLogger, logLevel} from '../../../src/lib/foundation/index.js'

describe('the log level', () => {
  it('comes from the flag, then KVCTL_LOG_LEVEL, LOG_LEVEL, KVCACHED_LOG_LEVEL, then INFO', () => {
    const all = {KVCTL_LOG_LEVEL: 'WARN', LOG_LEVEL: 'ERROR', KVCACHED_LOG_LEVEL: 'DEBUG'}
    expect(logLevel('debug', all)).to.equal('debug')
    expect(logLevel(undefined, all)).to.equal('warn')
    expect(logLevel(undefined, {...all, KVCTL_LOG_LEVEL: ''})).to.equal('error')
    expect(logLevel(undefined, {KVCACHED_LOG_LEVEL: 'WARNING'})).to.equal('warn')
    expect(logLevel(undefined, {LOG_LEVEL: 'LOUD'})).to.equal('info')
    expect(logLevel(undefined, {})).to.equal('info')
  })

  it('is DEBUG under KVMINI_DEBUG=true, whatever else is said', () => {
    expect(logLevel('error', {KVMINI_DEBUG: 'true'})).to.equal('debug')
    expect(logLevel('error', {KVMINI_DEBUG: 'false'})).to.equal('error')
  })
})

describe('the logger', () => {
  it('writes lines that kvcached users filter for, and nothing below its level', () => {
    const lines: string[] = []
    const logger = createLogger('warn', line => lines.push(line))
    logger.info('not this')
    logger.warn('segment is "odd"')
    logger.error('gone')
    expect(lines).to.have.length(2)
    expect(lines[0]).to.match(/^\[kvctl\]\[WARNING\]\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] segment is "odd"\n$/)
    expect(lines[1]).to.match(/\[ERROR\].* gone\n$/)
  })
})

describe('the colour of log lines', () => {
  it('is there on a terminal, unless NO_COLOR is set or KVCACHED_LOG_COLOR is anything but true', () => {
    expect(canColorLog({isTTY: true}, {})).to.equal(true)
    expect(canColorLog({isTTY: true}, {KVCACHED_LOG_COLOR: 'TRUE'})).to.equal(true)
    expect(canColorLog({isTTY: true}, {KVCACHED_LOG_COLOR: '1'})).to.equal(false)
    expect(canColorLog({isTTY: true}, {KVCACHED_LOG_COLOR: 'true', NO_COLOR: ''})).to.equal(false)
    expect(canColorLog({}, {KVCACHED_LOG_COLOR: 'true'})).to.equal(false)
  })
})
