import type {Logger} from '../foundation/index.js'
import {compressSlots, type SlotRange} from './core/slot-list.js'

export interface SlotRecord {
  readonly time: string
  readonly operation: 'Store' | 'retrieve'
  readonly requestId: string
  readonly tokens: number
  readonly slots: readonly SlotRange[]
}

const KEPT = 256

/** Which slots were read and written, one line an operation, while it is switched on. */
export class SlotLog {
  readonly #logger: Logger
  readonly #records: SlotRecord[] = []
  isOn = false

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** The last ones, oldest first. */
  get records(): readonly SlotRecord[] {
    return this.#records
  }

  record(operation: SlotRecord['operation'], requestId: string, slots: ArrayLike<number>): void {
    if (!this.isOn) return
    const ranges = compressSlots(slots)
    this.#records.push({
      ...{time: new Date().toISOString(), operation, requestId, tokens: slots.length},
      slots: ranges,
    })
    if (this.#records.length > KEPT) this.#records.shift()
    this.#logger.info(
      `[KVCache Check] ${operation} request_id=${requestId} tokens=${slots.length} slot_mapping: ${JSON.stringify(ranges)}`,
    )
  }
}
