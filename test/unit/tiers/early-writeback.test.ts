import {readdirSync, readFileSync, readlinkSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {chunkFiles} from '../../../src/lib/tiers/chunk-files.js'
import {libc} from '../../../src/native/libc.js'
import {eventually} from '../../support/cache-worker.js'
import {temporaryFolder} from '../../support/temporary.js'

const MIB = 2 ** 20

/** What a descriptor of this process is open on. */
function targetOf(fd: number | string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}

describe('early writeback', () => {
  const folder = temporaryFolder()
  const startWriteback = libc.startWriteback.bind(libc)
  let begun: string[]
  let under: number
  let most: number
  /** What calls of the kernel wait for: a device whose queue is full. */
  let device: Promise<unknown>
  beforeEach(() => {
    ;[begun, under, most, device] = [[], 0, 0, Promise.resolve()]
    libc.startWriteback = async fd => {
      begun.push(targetOf(fd))
      most = Math.max(most, ++under)
      await device
      await startWriteback(fd)
      under--
    }
  })
  afterEach(() => (libc.startWriteback = startWriteback))

  const pathOf = (name: string): string => join(folder(), name)
  const openFiles = (): string[] =>
    readdirSync('/proc/self/fd')
      .map(targetOf)
      .filter(path => path.startsWith(folder()))
  const bytesOf = (bytes: number): Buffer => Buffer.alloc(bytes, Buffer.from('0123456789abcdef-'))

  it('begins with a file of 1 MiB and more while it is written, and leaves the same bytes', async () => {
    const parts = [Buffer.from('head'), bytesOf(17 * MIB + 5)]
    await chunkFiles.write(pathOf('chunk'), parts)
    expect(readFileSync(pathOf('chunk')).equals(Buffer.concat(parts))).to.equal(true)
    expect(begun[0]).to.equal(pathOf('chunk'))
    await eventually(() => openFiles().length === 0)
  })

  it('leaves small files, and those past the page cache, to the system', async () => {
    await chunkFiles.write(pathOf('small'), [bytesOf(MIB - 1)])
    expect(begun).to.deep.equal([])
  })

  it('keeps nobody waiting for a slow device, and asks it for one file at a time', async () => {
    let release = (): void => undefined
    device = new Promise<void>(resolve => (release = resolve))
    const names = Array.from({length: 20}, (_, index) => `chunk-${index}`)
    for (const name of names) await chunkFiles.write(pathOf(name), [bytesOf(MIB)])
    expect(begun).to.have.length(1)
    // Those that wait stay open; there are never more of them than that.
    expect(openFiles().length).to.be.within(2, 9)
    release()
    await eventually(() => openFiles().length === 0)
    expect(most).to.equal(1)
    expect(begun.length).to.be.within(2, 9)
  })

  it('keeps no thrown away file open, and none where the kernel refuses', async () => {
    device = Promise.reject(new Error('EINVAL'))
    device.catch(() => undefined)
    await chunkFiles.write(pathOf('refused'), [bytesOf(MIB)])
    await eventually(() => openFiles().length === 0)
    // What is no bytes stands for a disk that fails in the middle.
    const failed = chunkFiles.write(pathOf('failed'), [bytesOf(9 * MIB), {length: 1} as Buffer])
    expect(await failed.catch((error: unknown) => error)).to.be.an('error')
    expect(begun).to.include(pathOf('failed'))
    await eventually(() => openFiles().length === 0)
    expect(readdirSync(folder())).to.deep.equal(['refused'])
  })
})
