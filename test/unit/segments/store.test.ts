import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {ConfigurationError, ResourceError} from '../../../src/lib/foundation/index.js'
import {SegmentNotFoundError} from '../../../src/lib/segments/index.js'
import {libc} from '../../../src/native/libc.js'
import {GIB, MIB, recordBytes, segmentFolder, type SegmentFolder} from '../../support/segments.js'

const failureOf = async (action: () => unknown): Promise<unknown> => {
  try {
    await action()
  } catch (error) {
    return error
  }
  throw new Error('did not fail')
}

describe('the segment store', () => {
  let folder: SegmentFolder
  beforeEach(() => (folder = segmentFolder()))
  afterEach(() => folder.remove())

  it('lists what is a segment, by name, and leaves everything else alone', async () => {
    const {directory, put, store} = folder
    put('b', 8n * GIB, 6n * GIB, GIB)
    put('a', 2n ** 62n + 1n)
    put('hidden', 0n)
    writeFileSync(join(directory, 'short'), 'x'.repeat(23))
    writeFileSync(join(directory, 'long'), 'x'.repeat(25))
    writeFileSync(join(directory, 'empty'), '')
    mkdirSync(join(directory, 'folder'))
    symlinkSync(join(directory, 'a'), join(directory, 'link'))
    const looks = await store.list()
    expect(
      looks.map(({name, record}) => [name, record.limitBytes, record.usedBytes, record.preallocBytes]),
    ).to.deep.equal([
      ['a', 2n ** 62n + 1n, 0n, 0n],
      ['b', 8n * GIB, 6n * GIB, GIB],
    ])
  })

  it('lists no longer what is no segment any more, and again what has become one again', async () => {
    const {directory, put, store} = folder
    const names = async (): Promise<string[]> => (await store.list()).map(({name}) => name)
    put('a', 8n * GIB)
    put('b', 8n * GIB)
    expect(await names()).to.deep.equal(['a', 'b'])
    unlinkSync(join(directory, 'a'))
    truncateSync(join(directory, 'b'), 23)
    expect(await names()).to.deep.equal([])
    mkdirSync(join(directory, 'a'))
    unlinkSync(join(directory, 'b'))
    put('b', 8n * GIB)
    expect(await names()).to.deep.equal(['b'])
  })

  it('lists nothing in a folder that is not there', async () => {
    folder.remove()
    expect(await folder.store.list()).to.deep.equal([])
  })

  it('says why it cannot look at all', async () => {
    folder.remove()
    writeFileSync(folder.directory.replace(/\/[^/]+$/, ''), 'a file where the folder was')
    expect(await failureOf(() => folder.store.list())).to.include({
      code: 'SEGMENT_FOLDER_UNREADABLE',
      exitCode: 4,
    })
  })

  it('reads one by name or full path, even when its limit of 0 hides it from the list', async () => {
    const path = folder.put('hidden', 0n, 5n)
    expect((await folder.store.read('hidden')).record.usedBytes).to.equal(5n)
    expect((await folder.store.read(path)).name).to.equal('hidden')
  })

  it('tells a missing segment from a file that is none', async () => {
    const {directory, put, store} = folder
    writeFileSync(join(directory, 'short'), 'x')
    symlinkSync(put('real', GIB), join(directory, 'link'))
    expect(await failureOf(() => store.read('absent'))).to.be.instanceOf(SegmentNotFoundError)
    for (const name of ['short', 'link']) {
      const error = await failureOf(() => store.writeLimit(name, MIB))
      expect(error).to.be.instanceOf(ResourceError).with.property('code', 'SEGMENT_FOREIGN')
    }
    expect(readFileSync(join(directory, 'short'), 'utf8')).to.equal('x')
    expect(readFileSync(join(directory, 'real'))).to.deep.equal(recordBytes(GIB))
  })

  for (const name of ['../escape', '/etc/passwd', '', '.', '..', 'a/b', 'a\0b', 'x'.repeat(256)]) {
    it(`refuses the name ${JSON.stringify(name.slice(0, 20))}`, async () => {
      const error = await failureOf(() => folder.store.read(name))
      expect(error).to.be.instanceOf(ConfigurationError).with.property('code', 'SEGMENT_NAME_INVALID')
    })
  }

  it('writes the limit into bytes 0 to 7 and touches nothing else', async () => {
    const path = folder.put('vllm', 8n * GIB, 0x0102030405060708n, -1n)
    const {before, after} = await folder.store.writeLimit('vllm', 2n * GIB)
    expect([before.limitBytes, after.limitBytes]).to.deep.equal([8n * GIB, 2n * GIB])
    expect(readFileSync(path)).to.deep.equal(recordBytes(2n * GIB, 0x0102030405060708n, -1n))
  })

  it('leaves the record as it is when the decision under the lock throws', async () => {
    const path = folder.put('vllm', 8n * GIB)
    const refuse = (): never => {
      throw new ConfigurationError('NO', 'no')
    }
    expect(await failureOf(() => folder.store.writeLimit('vllm', refuse))).to.have.property('code', 'NO')
    expect(readFileSync(path)).to.deep.equal(recordBytes(8n * GIB))
    expect(await folder.store.writeLimit('vllm', GIB), 'the lock was released').to.have.nested.property(
      'after.limitBytes',
      GIB,
    )
  })

  it('names the whole path of a segment that is not there', async () => {
    for (const act of [() => folder.store.read('gone'), () => folder.store.remove('gone')]) {
      const error = await failureOf(act)
      expect(error).to.include({code: 'SEGMENT_NOT_FOUND', segment: 'gone'})
      expect(error).to.have.property('path', `${folder.store.directory}/gone`)
    }
  })

  it('never brings a removed segment back', async () => {
    const path = folder.put('vllm', GIB)
    unlinkSync(path)
    expect(await failureOf(() => folder.store.writeLimit('vllm', MIB))).to.have.property(
      'code',
      'SEGMENT_NOT_FOUND',
    )
    expect(folder.store.publish('vllm', 1, 2)).to.equal(false)
    expect(await folder.store.readQueued('vllm')).to.equal(null)
    expect(statSync(path, {throwIfNoEntry: false})).to.equal(undefined)
  })

  it('makes a segment in the place of an empty file, which an engine left that was killed while it made its own', async () => {
    writeFileSync(join(folder.directory, 'vllm'), '')
    await folder.store.create('vllm', GIB)
    expect(readFileSync(join(folder.directory, 'vllm'))).to.deep.equal(recordBytes(GIB))
  })

  it('writes into the new file when the old one is replaced while it waits for the lock', async () => {
    const path = folder.put('vllm', 8n * GIB)
    const old = openSync(path, 'r')
    libc.flock(old, 'exclusive')
    const writing = folder.store.writeLimit('vllm', GIB)
    unlinkSync(path)
    folder.put('vllm', 4n * GIB)
    closeSync(old)
    expect((await writing).before.limitBytes).to.equal(4n * GIB)
    expect(readFileSync(path)).to.deep.equal(recordBytes(GIB))
  })

  it('publishes used and preallocated under the lock, or says that it could not', async () => {
    const path = folder.put('vllm', GIB)
    expect(folder.store.publish('vllm', 6 * 2 ** 20, 2n * MIB)).to.equal(true)
    expect(readFileSync(path)).to.deep.equal(recordBytes(GIB, 6n * MIB, 2n * MIB))
    const fd = openSync(path, 'r')
    libc.flock(fd, 'shared')
    expect(folder.store.publish('vllm', 1, 1)).to.equal(false)
    closeSync(fd)
    expect(readFileSync(path)).to.deep.equal(recordBytes(GIB, 6n * MIB, 2n * MIB))
  })

  it('shows a segment whose lock is kept, marked as unsettled', async () => {
    const fd = openSync(folder.put('vllm', GIB, MIB), 'r')
    libc.flock(fd, 'exclusive')
    const look = await folder.store.read('vllm')
    closeSync(fd)
    expect([look.isSettled, look.record.usedBytes]).to.deep.equal([false, MIB])
    expect((await folder.store.read('vllm')).isSettled).to.equal(true)
  })

  it('gives up on a kept lock in time, and at once when told to', async () => {
    const fd = openSync(folder.put('vllm', GIB), 'r')
    libc.flock(fd, 'exclusive')
    const late = await failureOf(() => folder.store.writeLimit('vllm', MIB, undefined, 30))
    expect(late).to.be.instanceOf(ResourceError).with.property('code', 'SEGMENT_LOCKED')
    const reason = new Error('stop')
    expect(await failureOf(() => folder.store.writeLimit('vllm', MIB, AbortSignal.abort(reason)))).to.equal(
      reason,
    )
    closeSync(fd)
    expect((await folder.store.read('vllm')).record.limitBytes).to.equal(GIB)
  })

  it('makes a segment of 24 bytes that others may read, and replaces a dead leftover', async () => {
    const path = folder.put('vllm', GIB, MIB)
    const old = statSync(path, {bigint: true})
    await folder.store.create('vllm', 2 ** 31)
    expect(readFileSync(path)).to.deep.equal(recordBytes(2n ** 31n))
    expect(statSync(path, {bigint: true}).birthtimeNs, 'a new file').to.not.equal(old.birthtimeNs)
    expect(statSync(path).mode & 0o444).to.equal(0o444)
  })

  it('creates nothing over a file that is no segment', async () => {
    const path = join(folder.directory, 'data')
    writeFileSync(path, 'precious')
    expect(await failureOf(() => folder.store.create('data', GIB))).to.have.property(
      'code',
      'SEGMENT_FOREIGN',
    )
    expect(await failureOf(() => folder.store.remove('data'))).to.have.property('code', 'SEGMENT_FOREIGN')
    expect(readFileSync(path, 'utf8')).to.equal('precious')
  })

  it('survives a segment that shrinks between two looks', async () => {
    const path = folder.put('vllm', GIB)
    truncateSync(path, 8)
    expect(await folder.store.list()).to.deep.equal([])
  })

  it('knows its own segments by the process that made them, without a look at any other', async () => {
    await folder.store.create('vllm', GIB)
    const look = await folder.store.read('vllm')
    expect(look.startupBytes).to.equal(GIB)
    expect(folder.store.state(look)).to.deep.include({verdict: 'live', pid: process.pid, warnings: []})
    folder.store.remove('vllm')
    folder.put('vllm', GIB)
    const next = await folder.store.read('vllm')
    expect(next.creator, 'another file of that name').to.equal(null)
    expect(folder.store.state(next)).to.include({verdict: 'unknown', pid: null})
  })

  it('warns of a limit that was set by something else, until its own kvctl sets one', async () => {
    const codes = async (): Promise<string[]> =>
      folder.store.state(await folder.store.read('vllm')).warnings.map(({code}) => code)
    folder.put('vllm', 8n * GIB, GIB)
    expect(await codes()).to.deep.equal([])
    folder.put('vllm', 4n * GIB, GIB)
    expect(await codes()).to.deep.equal(['LIMIT_CHANGED_ELSEWHERE'])
    await folder.store.writeLimit('vllm', 2n * GIB)
    expect(await codes()).to.deep.equal([])
  })

  it('looks at who is behind a segment without touching it', async () => {
    const path = folder.put('kvcached_vLLM_1', GIB)
    const look = await folder.store.read('kvcached_vLLM_1')
    const before = statSync(path, {bigint: true})
    const fd = openSync(path, 'r')
    libc.flock(fd, 'exclusive') // would hold up whoever asks for a lock
    folder.store.state(look)
    closeSync(fd)
    const after = statSync(path, {bigint: true})
    expect([after.atimeNs, after.ctimeNs]).to.deep.equal([before.atimeNs, before.ctimeNs])
  })
})
