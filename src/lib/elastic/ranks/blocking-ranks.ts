import {MessageChannel, receiveMessageOnPort, Worker, type MessagePort} from 'node:worker_threads'
import {join} from 'node:path'
import {packageRoot, ResourceError} from '../../foundation/index.js'
import {askRanks, type RankRequest} from './exchange.js'
import type {RankAddress} from './rank-socket.js'

export interface RanksOrder {
  readonly addresses: readonly RankAddress[]
  readonly request: RankRequest
  readonly timeoutMs: number
}

type Outcome = {readonly ok: true} | {readonly ok: false; readonly message: string}

/** What the thread is given at its start. */
interface ThreadParts {
  readonly port: MessagePort
  /** One word: 1 once an answer lies in the port. */
  readonly signal: Int32Array
}

/** More than the exchange itself may take: the thread then answers with the better message. */
const GRACE_MS = 5_000

/**
 * Asks workers while this thread waits: handing out blocks does not return before its pages have memory in every worker,
 * as in kvcached.
 */
export class BlockingRanks {
  readonly #port: MessagePort
  readonly #signal = new Int32Array(new SharedArrayBuffer(4))
  readonly #thread: Worker

  constructor() {
    const {port1, port2} = new MessageChannel()
    this.#port = port1
    const parts: ThreadParts = {port: port2, signal: this.#signal}
    this.#thread = new Worker(join(packageRoot, 'dist/workers/rank-exchange.js'), {
      workerData: parts,
      transferList: [port2],
    })
    this.#thread.unref()
    this.#port.unref()
  }

  /** @throws ResourceError `WORKER_FAILED` that names the rank */
  ask(order: RanksOrder): void {
    Atomics.store(this.#signal, 0, 0)
    this.#port.postMessage(order)
    const waitMs = order.timeoutMs === Infinity ? Infinity : order.timeoutMs + GRACE_MS
    if (Atomics.wait(this.#signal, 0, 0, waitMs) === 'timed-out') {
      throw new ResourceError(
        'WORKER_FAILED',
        `the workers of '${order.addresses[0]?.ipcName ?? ''}' do not answer`,
      )
    }
    const outcome = receiveMessageOnPort(this.#port)?.message as Outcome | undefined
    if (outcome?.ok === true) return
    throw new ResourceError('WORKER_FAILED', outcome?.message ?? 'the thread that asks workers said nothing')
  }

  async close(): Promise<void> {
    await this.#thread.terminate()
  }
}

/** The other side, in a thread of its own. @param data what the thread was started with */
export function serveRankExchange(data: unknown): void {
  const {port, signal} = data as ThreadParts
  port.on('message', (order: RanksOrder) => {
    void askRanks(order.addresses, order.request, order.timeoutMs)
      .then((): Outcome => ({ok: true}))
      .catch((error: unknown): Outcome => ({
        ok: false,
        message: error instanceof Error ? error.message : String(error),
      }))
      .then(outcome => {
        port.postMessage(outcome)
        Atomics.store(signal, 0, 1)
        Atomics.notify(signal, 0)
      })
  })
}
