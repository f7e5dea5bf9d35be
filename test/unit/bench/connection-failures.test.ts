import {once} from 'node:events'
import {createServer as createTlsServer} from 'node:https'
import {createServer, type AddressInfo, type Socket} from 'node:net'
import {expect} from 'chai'
import type {LoadJob, TimeLimits} from '../../../src/lib/bench/index.js'
import type {RequestRecord} from '../../../src/lib/runs/index.js'
import {benchOptions, loadJob, runJob} from '../../support/load-job.js'
import {describeWith} from '../../support/requires.js'
import {selfSigned} from '../../support/self-signed.js'
import {startTruthServer} from '../../support/truth.js'

const LIMITS = {connectMs: 300, firstTokenMs: null, idleMs: null, totalMs: null}

/** Runs a small job against a server that does `behave` with every connection. */
async function against(
  behave: (socket: Socket) => void,
  change: (job: LoadJob) => LoadJob = job => job,
  limits: TimeLimits = LIMITS,
): Promise<readonly RequestRecord[]> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    behave(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const {port} = server.address() as AddressInfo
    const job = loadJob(port, benchOptions({requests: 3, concurrency: 2, limits}))
    return (await runJob(change(job))).records
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}
const toTarget = (job: LoadJob, change: Partial<LoadJob['targets'][0]>): LoadJob => ({
  ...job,
  targets: job.targets.map(target => ({...target, ...change})),
})
const withTls = (job: LoadJob): LoadJob => toTarget(job, {isTls: true})
const outcomes = (records: readonly RequestRecord[]): string[] => records.map(({outcome}) => outcome)

describe('a load job calls', () => {
  it('a refused connection connect, with nothing sent', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const {port} = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const {records} = await runJob(loadJob(port, benchOptions({requests: 3, limits: LIMITS})))
    expect(outcomes(records)).to.deep.equal(['connect', 'connect', 'connect'])
    expect(records[0]).to.include({sentAtMs: null, status: 0})
    expect(records[0]!.error).to.contain('ECONNREFUSED')
  })

  it('a failed handshake tls', async () => {
    const records = await against(socket => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), withTls)
    expect(outcomes(records)).to.deep.equal(['tls', 'tls', 'tls'])
  })

  it('a handshake that does not end timeout_connect', async () => {
    const records = await against(socket => socket.resume(), withTls)
    expect(outcomes(records)).to.deep.equal(['timeout_connect', 'timeout_connect', 'timeout_connect'])
  })

  it('no request reset because the server closes behind each answer: the next goes over a new connection', async () => {
    const body = '{"choices":[{"index":0,"message":{"content":"hi"}}]}'
    let connections = 0
    const close = (socket: Socket): void => {
      connections++
      socket.once('data', () =>
        socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`),
      )
    }
    const records = await against(close, job => {
      const options = benchOptions({requests: 12, concurrency: 2, limits: LIMITS})
      const whole = {...options, request: {...options.request, isStreamed: false}}
      return {...loadJob(job.targets[0]!.port, whole)}
    })
    expect(outcomes(records)).to.deep.equal(Array(12).fill('ok'))
    expect(connections).to.be.at.least(12)
  })

  it('an answer that drips on for ever timeout_total', async () => {
    const drip = (socket: Socket): void => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n')
        const timer = setInterval(() => socket.write(': ping\n\n'), 20)
        socket.on('close', () => clearInterval(timer))
      })
    }
    const records = await against(drip, job => job, {...LIMITS, totalMs: 200})
    expect(outcomes(records)).to.deep.equal(['timeout_total', 'timeout_total', 'timeout_total'])
  })

  it('what is in flight at a stop aborted and what was due not_sent', async () => {
    const server = await startTruthServer({modes: ['mute']})
    const stop = new AbortController()
    const options = benchOptions({requests: 10, ratePerSecond: 1000, maxInFlight: 3})
    const {records, reports} = await runJob(loadJob(server.port, options), stop.signal, report => {
      // Two progress reports later all ten are due.
      if (report.kind === 'progress' && report.counts.inFlight === 3) stop.abort()
    })
    await server.stop()
    expect(outcomes(records).sort()).to.deep.equal([
      ...Array<string>(3).fill('aborted'),
      ...Array<string>(7).fill('not_sent'),
    ])
    expect(reports.at(-1)).to.include({kind: 'finished', wasStopped: true})
  })
})

describeWith(['openssl'], 'a load job over TLS', () => {
  it('streams as it does without when it takes any certificate, and calls one that nobody signed tls', async () => {
    const events = ['{"choices":[{"index":0,"delta":{"content":" a"}}]}', '{"choices":[{"index":0,"delta":{"content":" b"},"finish_reason":"stop"}]}', '[DONE]'] // prettier-ignore
    const asked: (string | undefined)[] = []
    const server = createTlsServer(selfSigned(), (request, reply) => {
      asked.push(request.headers['x-request-id'] as string)
      reply.writeHead(200, {'content-type': 'text/event-stream'})
      // One event a TLS record, so that one read may hold several.
      for (const event of events) reply.write(`data: ${event}\n\n`)
      reply.end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const job = loadJob((server.address() as AddressInfo).port, benchOptions({requests: 20, concurrency: 4}))
    const trusting = toTarget(job, {isTls: true, isInsecure: true})
    try {
      const {records} = await runJob(trusting)
      expect(outcomes(records)).to.deep.equal(Array(20).fill('ok'))
      expect(records.map(({chunkCount}) => chunkCount)).to.deep.equal(Array(20).fill(2))
      // Connections were opened before the run and kept.
      expect(records.map(({connectMs}) => connectMs)).to.deep.equal(Array(20).fill(null))
      expect([...asked].sort()).to.deep.equal(records.map(({requestId}) => requestId).sort())
      asked.length = 0
      const refused = (await runJob(toTarget(trusting, {isInsecure: false}))).records
      expect(outcomes(refused)).to.deep.equal(Array(20).fill('tls'))
      expect(refused[0]!.error).to.contain('self-signed certificate')
      expect(asked, 'nothing may be sent to a server that is not trusted').to.deep.equal([])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
