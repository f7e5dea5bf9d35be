import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect} from 'chai'
import {silentLogger} from '../../../src/lib/foundation/index.js'
import {createMemoryStore, stateFolder, type SegmentRecord} from '../../../src/lib/segments/index.js'
import {
  formatMemory,
  parseMemory,
  remember,
  rememberWritten,
  type StartupMemory,
} from '../../../src/lib/segments/startup-memory.js'

const FILE = {device: 25n, inode: 7n, birthNs: 1000n}
const NEXT_FILE = {device: 25n, inode: 8n, birthNs: 2000n}
const figures = (limitBytes: bigint, usedBytes = 0n, preallocBytes = 0n): SegmentRecord => ({
  limitBytes,
  usedBytes,
  preallocBytes,
})

describe('the memory of start-up totals', () => {
  it('keeps the first total seen, whatever is written later', () => {
    const first = remember(null, FILE, figures(800n, 10n))
    expect(first.startupBytes).to.equal(800n)
    expect(remember(first, FILE, figures(200n, 10n)).startupBytes).to.equal(800n)
  })

  it('starts anew with a new file: same inode and another birth time is a new file too', () => {
    const first = remember(null, FILE, figures(800n))
    expect(remember(first, NEXT_FILE, figures(300n)).startupBytes).to.equal(300n)
    expect(remember(first, {...FILE, birthNs: 3000n}, figures(300n)).startupBytes).to.equal(300n)
  })

  it('keeps the total when a living engine re-creates its deleted segment with total 0', () => {
    const first = remember(null, FILE, figures(800n, 10n))
    expect(remember(first, NEXT_FILE, figures(0n, 10n))).to.include({startupBytes: 800n, inode: 8n})
  })

  it('knows no total while only totals of 0 were seen', () => {
    const first = remember(null, FILE, figures(0n, 10n))
    expect(first.startupBytes).to.equal(null)
    expect(remember(first, FILE, figures(500n, 10n)).startupBytes).to.equal(500n)
  })

  it('recognises an engine restarted on the same file: nothing held, and a total that nobody here wrote', () => {
    const used = remember(null, FILE, figures(800n, 10n))
    expect(remember(used, FILE, figures(600n)).startupBytes).to.equal(600n)
    expect(remember(used, FILE, figures(600n, 0n, 5n)).startupBytes, 'still holds memory').to.equal(800n)
    const limited = rememberWritten(used, 600n)
    expect(remember(limited, FILE, figures(600n)).startupBytes, 'our own limit').to.equal(800n)
    const unused = remember(null, FILE, figures(800n))
    expect(remember(unused, FILE, figures(600n)).startupBytes, 'was never used').to.equal(800n)
  })

  it('keeps the last 16 limits of our own', () => {
    let memory = remember(null, FILE, figures(800n))
    for (let limit = 1n; limit <= 20n; limit++) memory = rememberWritten(memory, limit)
    expect(memory.writtenLimits).to.deep.equal(Array.from({length: 16}, (_, index) => BigInt(index + 5)))
    expect(rememberWritten(memory, 20n)).to.equal(memory)
  })

  it('is stored with all digits and read back', () => {
    const memory: StartupMemory = {
      inode: 2n ** 60n + 1n,
      birthNs: 1_763_690_000_123_456_789n,
      startupBytes: null,
      wasUsed: true,
      writtenLimits: [2n ** 62n + 1n],
      creator: {pid: 5, startTicks: 6, pidNamespace: 'pid:[7]'},
    }
    expect(parseMemory(formatMemory(memory))).to.deep.equal(memory)
  })

  for (const text of [
    '',
    '{}',
    '[]',
    'null',
    '{"inode":1,"written_limits":[]}',
    '{"inode":"x","written_limits":[]}',
  ]) {
    it(`takes ${JSON.stringify(text)} for no memory`, () => {
      expect(parseMemory(text)).to.equal(null)
    })
  }
})

describe('the state folder', () => {
  let folder: string
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'kvctl-state-'))))
  afterEach(() => rmSync(folder, {recursive: true, force: true}))

  it('is KVCTL_STATE_DIR, else XDG_STATE_HOME/kvctl, else below the home folder', () => {
    expect(stateFolder({KVCTL_STATE_DIR: '/a', XDG_STATE_HOME: '/b'})).to.equal('/a')
    expect(stateFolder({XDG_STATE_HOME: '/b'})).to.equal('/b/kvctl')
    expect(stateFolder({})).to.match(/\/\.local\/state\/kvctl$/)
  })

  it('keeps one private file a segment, wherever its name would lead, and leaves no temporary one', () => {
    const store = createMemoryStore(folder, silentLogger)
    const memory = remember(null, FILE, figures(800n))
    store.save('a b%', memory, null)
    expect(store.load('a b%')).to.deep.equal(memory)
    const files = readdirSync(join(folder, 'segments'))
    expect(files).to.deep.equal(['a%20b%25.json'])
    expect(statSync(join(folder, 'segments', files[0]!)).mode & 0o777).to.equal(0o600)
    store.forget('a b%')
    expect(store.load('a b%')).to.equal(null)
  })

  it('hears of what another kvctl has written since', () => {
    const [one, other] = [createMemoryStore(folder, silentLogger), createMemoryStore(folder, silentLogger)]
    const memories = [800n, 900n, 1000n].map(limit => remember(null, FILE, figures(limit)))
    for (const memory of memories) {
      other.save('a', memory, null)
      expect(one.load('a')).to.deep.equal(memory)
    }
    other.forget('a')
    expect(one.load('a')).to.equal(null)
  })

  it('loads many without asking again for what has not changed, and hears of all that has', () => {
    const [one, other] = [createMemoryStore(folder, silentLogger), createMemoryStore(folder, silentLogger)]
    const segments = join(folder, 'segments')
    let secondsAgo = 100
    /** As if nothing had happened for a while; each time at another time. */
    const settle = (): void => {
      const then = Date.now() / 1000 - secondsAgo--
      utimesSync(segments, then, then)
    }
    const [first, second, third] = [800n, 900n, 1000n].map(limit => remember(null, FILE, figures(limit)))
    expect(one.loader()('a'), 'no folder yet').to.equal(null)
    for (const name of ['a', 'b']) other.save(name, first!, null)
    settle()
    const load = one.loader()
    expect(['a', 'b'].map(name => load(name))).to.deep.equal([first, first])
    expect(one.loader()('a'), 'the very same').to.equal(load('a'))
    // Only `a` is asked for meanwhile: what is known of `b` is of before.
    other.save('b', second!, null)
    settle()
    expect(one.loader()('a')).to.deep.equal(first)
    expect(one.loader()('b')).to.deep.equal(second)
    other.save('b', third!, null)
    expect(one.loader()('b'), 'changed a moment ago').to.deep.equal(third)
    other.forget('b')
    expect(one.loader()('b')).to.equal(null)
  })

  it('writes nothing when nothing changed', () => {
    const store = createMemoryStore(folder, silentLogger)
    const memory = remember(null, FILE, figures(800n))
    store.save('a', memory, memory)
    expect(readdirSync(folder)).to.deep.equal([])
  })

  it('never fails a command: it says so at debug level', () => {
    writeFileSync(join(folder, 'file'), 'not a folder')
    const lines: string[] = []
    const store = createMemoryStore(join(folder, 'file'), {...silentLogger, debug: line => lines.push(line)})
    store.save('a', remember(null, FILE, figures(800n)), null)
    expect(store.load('a')).to.equal(null)
    expect(lines.join('\n')).to.contain('cannot remember the start-up total of a')
    expect(readFileSync(join(folder, 'file'), 'utf8')).to.equal('not a folder')
  })
})
