import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect} from 'chai'
import {createFileLister, folderStamp} from '../../../src/lib/segments/folder-stamp.js'

describe('the stamp of a folder', () => {
  let folder: string
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'kvctl-stamp-'))))
  afterEach(() => rmSync(folder, {recursive: true, force: true}))

  let secondsAgo = 100
  /** As if nothing had happened for a while; each time at another time. */
  const settle = (): void => {
    const then = Date.now() / 1000 - secondsAgo--
    utimesSync(folder, then, then)
  }

  it('stays while nothing comes or goes, whatever is written into files', () => {
    writeFileSync(join(folder, 'a'), '1')
    settle()
    const before = folderStamp(folder)
    expect(before).to.be.a('string')
    writeFileSync(join(folder, 'a'), '22')
    expect(folderStamp(folder)).to.equal(before)
  })

  it('is not told of a folder that changed a moment ago, which may change again within the same tick', () => {
    writeFileSync(join(folder, 'a'), '1')
    const {mtimeMs} = statSync(folder)
    expect(folderStamp(folder, mtimeMs + 99)).to.equal(null)
    expect(folderStamp(folder, mtimeMs + 101)).to.be.a('string')
  })

  it('is not told of what is no folder', () => {
    expect(folderStamp(join(folder, 'none'))).to.equal(null)
    writeFileSync(join(folder, 'a'), '1')
    expect(folderStamp(join(folder, 'a', 'b'))).to.equal(null)
  })

  it('changes when a file comes, goes, or takes the place of another', () => {
    const changes: (() => void)[] = [
      () => writeFileSync(join(folder, 'a'), '1'),
      () => writeFileSync(join(folder, 'new'), '2'),
      () => renameSync(join(folder, 'new'), join(folder, 'a')),
      () => unlinkSync(join(folder, 'a')),
    ]
    for (const change of changes) {
      settle()
      const before = folderStamp(folder)
      change()
      expect(folderStamp(folder, Date.now() + 1000))
        .to.be.a('string')
        .that.does.not.equal(before)
    }
  })

  it('lets a list of files be kept: it is right after each change, and lists files alone', () => {
    const files = createFileLister(folder)
    expect(files()).to.deep.equal([])
    mkdirSync(join(folder, 'folder'))
    for (const name of ['c', 'a', 'b']) {
      writeFileSync(join(folder, name), name)
      expect(files()).to.include(name)
    }
    settle()
    expect(files()).to.deep.equal(['a', 'b', 'c'])
    expect(files(), 'the same list').to.equal(files())
    unlinkSync(join(folder, 'b'))
    expect(files()).to.deep.equal(['a', 'c'])
  })

  it('throws as reading the folder does', () => {
    expect(() => createFileLister(join(folder, 'none'))()).to.throw('ENOENT')
  })
})
