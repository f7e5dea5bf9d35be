import {execFileSync, spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, mkdirSync, readdirSync, statSync, writeFileSync} from 'node:fs'
import {connect} from 'node:net'
import {dirname, join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import fc from 'fast-check'
import {ConfigurationError, ResourceError} from '../../../src/lib/foundation/index.js'
import {askRanks, listenAsRank, type RankListener} from '../../../src/lib/elastic/ranks/index.js'
import {pickle, unpickle, type Plain} from '../../../src/lib/elastic/ranks/pickle.js'
import type {RankDuties} from '../../../src/lib/elastic/ranks/rank-listener.js'
import {nameDigest, rankSocketPath} from '../../../src/lib/elastic/ranks/rank-socket.js'
import {repositoryRoot} from '../../support/cli.js'
import {describeWith, findProgram} from '../../support/requires.js'
import {temporaryFolder} from '../../support/temporary.js'

const PEER = join(repositoryRoot, 'test/support/rank.py')
const python = (args: readonly string[], input = ''): string[] =>
  execFileSync(findProgram('python3')!, [PEER, ...args], {input, encoding: 'utf8', maxBuffer: 2 ** 26})
    .trim()
    .split('\n')

const CREATED = '80049523000000000000007d94288c06737461747573948c0773756363657373948c07637265617465649488752e'

const plain = fc.letrec<{value: Plain}>(tie => ({
  value: fc.oneof(
    {depthSize: 'small'},
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.integer({min: -70_000, max: 70_000}),
    fc.string({maxLength: 300}),
    fc.array(tie('value'), {maxLength: 6}),
    fc.dictionary(fc.string(), tie('value'), {maxKeys: 4, noNullPrototype: true}),
  ),
})).value

describe('pickles', () => {
  it('have the bytes that kvcached answers with', () => {
    expect(pickle({status: 'success', created: true}).toString('hex')).to.equal(CREATED)
    expect(pickle({status: 'success', created: false}).toString('hex')).to.equal(
      CREATED.replace(/88752e$/, '89752e'),
    )
  })

  it('come back as they were', () => {
    fc.assert(fc.property(plain, value => void expect(unpickle(pickle(value))).to.deep.equal(value)))
  })

  it('are read from every protocol, as far as they are data', () => {
    expect(unpickle(Buffer.from("(dS'cmd'\nS'kv_tensors_created'\nsS'group_id'\nI0\ns."))).to.deep.equal({
      cmd: 'kv_tensors_created',
      group_id: 0,
    })
  })

  it('that would call anything, or are cut off, or no pickle at all, are refused', () => {
    const calls = Buffer.from("cos\nsystem\n(S'true'\ntR.")
    expect(() => unpickle(calls)).to.throw(RangeError, 'opcode 0x63, which is more than data')
    const whole = pickle({offsets: [1, 70_000, -5], cmd: 'x'})
    for (let length = 0; length < whole.length; length++) {
      expect(() => unpickle(whole.subarray(0, length))).to.throw(RangeError)
    }
    fc.assert(
      fc.property(fc.uint8Array({maxLength: 60}), bytes => {
        try {
          unpickle(Buffer.from(bytes))
        } catch (error) {
          expect(error).to.be.instanceOf(RangeError)
        }
      }),
      {numRuns: 2000},
    )
  })

  describeWith(['python3'], "beside Python's own", () => {
    const values = fc.sample(plain, {numRuns: 200, seed: 7})
    const long = [Array.from({length: 2500}, (_, index) => index * 2 ** 21), {a: 'x'.repeat(300)}]

    it('are the same bytes, but that Python remembers texts that it says twice', () => {
      const simple = [
        ...long,
        {cmd: 'map_to_kv_tensors', offsets: [0, 2 ** 21, 2 ** 40], group_id: 0},
        [],
        {},
        [1],
        -1,
        2 ** 31,
      ]
      const theirs = python(['pickle'], JSON.stringify({values: simple}))
      expect(simple.map(value => pickle(value).toString('hex'))).to.deep.equal(theirs)
    })

    it('are understood both ways', () => {
      const all = [...values, ...long]
      const read = python(['unpickle'], all.map(value => pickle(value).toString('hex')).join('\n'))
      expect(read.map(line => JSON.parse(line) as Plain)).to.deep.equal(all)
      const theirs = python(['pickle'], JSON.stringify({values: all}))
      expect(theirs.map(line => unpickle(Buffer.from(line, 'hex')))).to.deep.equal(all)
    })
  })
})

describe('the sockets of workers', () => {
  afterEach(async () => {
    for (const listener of listeners.splice(0)) await listener.close()
    expect(readdirSync(folder()), 'left behind').to.deep.equal([])
  })
  const folder = temporaryFolder()
  const address = (rank = 0, pipelineRank = 0) => ({
    temporaryFolder: folder(),
    ipcName: 'engine',
    rank,
    pipelineRank,
  })
  const listeners: RankListener[] = []
  const calls: unknown[] = []
  const duties: RankDuties = {
    kvTensorsCreated: groupId => groupId === 0,
    mapToKvTensors(offsets, groupId) {
      if (groupId === 3) throw new ResourceError('MEMORY_EXHAUSTED', 'no memory for another page')
      calls.push(['map', offsets, groupId])
      return groupId === 0
    },
    unmapFromKvTensors(offsets, groupId) {
      calls.push(['unmap', offsets, groupId])
      return true
    },
  }
  const listen = async (rank = 0, pipelineRank = 0): Promise<RankListener> => {
    const listener = await listenAsRank(address(rank, pipelineRank), duties)
    listeners.push(listener)
    return listener
  }
  beforeEach(() => void (calls.length = 0))

  it('are called as kvcached calls them', () => {
    expect(nameDigest('VLLM')).to.equal('569958b2')
    expect(nameDigest('kvcached_vLLM_12345')).to.equal('9bc83684')
    const base = {temporaryFolder: '/tmp', ipcName: 'VLLM', rank: 3}
    expect(rankSocketPath({...base, pipelineRank: 0})).to.equal('/tmp/kvcached-tp-VLLM-569958b2/w3.sock')
    expect(rankSocketPath({...base, pipelineRank: 2})).to.equal('/tmp/kvcached-tp-VLLM-569958b2/pp2/w3.sock')
    expect(() => rankSocketPath({...base, ipcName: 'x'.repeat(90), pipelineRank: 0})).to.throw(
      ConfigurationError,
      'longer than Unix allows',
    )
  })

  it('answer every command, one a connection', async () => {
    await Promise.all([listen(0), listen(1), listen(0, 1)])
    const ask = (cmd: 'kv_tensors_created' | 'map_to_kv_tensors' | 'unmap_from_kv_tensors', group = 0) =>
      askRanks([address(0), address(1), address(0, 1)], {cmd, offsets: [0, 2 ** 40], group_id: group}, 5000)
    expect(await ask('kv_tensors_created')).to.deep.equal(Array(3).fill({status: 'success', created: true}))
    expect(await ask('kv_tensors_created', 1)).to.deep.equal(
      Array(3).fill({status: 'success', created: false}),
    )
    expect(await ask('map_to_kv_tensors')).to.deep.equal(Array(3).fill({status: 'success'}))
    expect(calls).to.deep.equal(Array(3).fill(['map', [0, 2 ** 40], 0]))
    expect(statSync(dirname(listeners[0]!.path)).mode & 0o777).to.equal(0o700)
  })

  it('name the rank that refuses, is not there, is silent, or speaks something else', async () => {
    await listen(0)
    const failure = async (rank: number, timeoutMs: number, group = 0): Promise<string> =>
      askRanks(
        [address(0), address(rank)],
        {cmd: 'map_to_kv_tensors', offsets: [0], group_id: group},
        timeoutMs,
      ).then(
        () => 'none',
        (error: unknown) => {
          expect(error).to.be.instanceOf(ResourceError).with.property('code', 'WORKER_FAILED')
          return (error as Error).message
        },
      )
    expect(await failure(0, 5000, 3)).to.equal(
      `worker 0 of 'engine' refused map_to_kv_tensors: "no memory for another page"`,
    )
    expect(await failure(0, 5000, 5)).to.include('KV tensors of group 5 are not created')
    expect(await failure(4, 5000)).to.match(/^worker 4 of 'engine' cannot be reached: .*ENOENT/)
  })

  it('survive whoever speaks something else, and take the place of one that was left behind', async () => {
    const {path} = {path: rankSocketPath(address(0))}
    mkdirSync(dirname(path), {recursive: true})
    writeFileSync(path, 'left behind')
    await listen(0)
    for (const bytes of [
      '',
      'GET / HTTP/1.1\r\n\r\n',
      '\0\0\0\x05hello',
      '\0\0\0\x01.',
      '\xff\xff\xff\xff',
    ]) {
      const socket = connect(path)
      socket.end(Buffer.from(bytes, 'latin1'))
      socket.resume()
      await once(socket, 'close')
    }
    const request = {cmd: 'unmap_from_kv_tensors' as const, offsets: [], group_id: 0}
    expect(await askRanks([address(0)], request, 5000)).to.deep.equal([{status: 'success'}])
  })

  it('are gone at once when a process has no time left', async () => {
    const listener = await listen(0, 1)
    listener.removeSync()
    expect(readdirSync(folder())).to.deep.equal([])
  })

  describeWith(['python3'], 'beside Python', () => {
    it("are where Python's uuid puts them", () => {
      for (const name of ['VLLM', 'kvcached_vLLM_12345', 'my-model-é-1']) {
        expect(rankSocketPath({temporaryFolder: '/tmp', ipcName: name, rank: 2, pipelineRank: 0})).to.equal(
          python(['socket', name, '2'])[0],
        )
      }
    })

    it('answer a Python engine, and a probe without a pickle library, byte by byte', async () => {
      const {path} = await listen(0)
      const ask = async (...args: string[]): Promise<string[]> => {
        const child = spawn(findProgram('python3')!, [PEER, ...args])
        let text = ''
        child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        await once(child, 'close')
        return text.trim().split('\n')
      }
      expect(await ask('probe', path)).to.deep.equal([CREATED])
      expect(
        await ask('ask', path, '{"cmd": "map_to_kv_tensors", "offsets": [0, 1099511627776], "group_id": 0}'),
      ).to.have.members([pickle({status: 'success'}).toString('hex'), '{"status": "success"}'])
      expect(calls).to.deep.equal([['map', [0, 2 ** 40], 0]])
      expect((await ask('ask', path, '{"cmd": "dance"}'))[1]).to.equal(
        '{"status": "error", "message": "Unknown command"}',
      )
    })

    it('of Python workers are asked in its own pickles', async () => {
      const path = rankSocketPath(address(0))
      const child = spawn(findProgram('python3')!, [PEER, 'listen', path, '3'])
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
      expect((await lines.next()).value).to.equal('ready')
      const offsets = [0, 2 ** 21, 2 ** 40]
      for (const request of [
        {cmd: 'kv_tensors_created' as const, group_id: 0},
        {cmd: 'map_to_kv_tensors' as const, offsets, group_id: 0},
      ]) {
        const [answer] = await askRanks([address(0)], request, 10_000)
        expect(answer!['status']).to.equal('success')
        expect(JSON.parse((await lines.next()).value as string)).to.deep.equal(request)
      }
      const refused = await askRanks(
        [address(0)],
        {cmd: 'map_to_kv_tensors', offsets, group_id: 9},
        10_000,
      ).catch(String)
      expect(refused).to.include('worker 0').and.to.include('no memory')
      if (child.exitCode === null) await once(child, 'close')
      expect(existsSync(path)).to.equal(false)
      execFileSync('rmdir', [dirname(path)])
    })
  })
})
