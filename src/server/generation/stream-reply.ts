import type {ServerResponse} from 'node:http'
import {errorBody, STREAM_END} from '../../lib/openai/index.js'
import type {Fault} from '../fault-injection.js'
import {openSseStream} from '../sse.js'
import {event, type ChunkWriter} from './chunk-writer.js'
import type {Generation} from './generate.js'
import type {GenerationPlan} from './plan.js'
import {choiceUsage, usageOf} from './usage.js'

export interface StreamReplyOptions {
  readonly plan: GenerationPlan
  readonly chunks: ChunkWriter
  readonly slowClientMs: number
  readonly showsCachedTokens: boolean
  /** What shall go wrong with this stream on purpose. */
  readonly fault: Fault | null
  /** Starts the answers; nothing has been sent while it may still throw. */
  start(onChange: () => void): Generation
}

/**
 * Streams answers as they come: at most one write a step and client, and none while the client is behind; what comes
 * meanwhile is joined into one event per choice, so that memory stays bounded by the answers themselves.
 */
export function streamReply(raw: ServerResponse, options: StreamReplyOptions): void {
  const {plan, chunks} = options
  let isScheduled = false
  let isOpened = false
  let isOver = false
  let stall: NodeJS.Timeout | null = null

  const finish = (events: string): void => {
    isOver = true
    stream.end(events + event(STREAM_END))
  }
  const flush = (): void => {
    isScheduled = false
    if (isOver || stall || stream.isBlocked || breaks()) return
    let events = ''
    for (const choice of generation.choices) {
      const piece = choice.take()
      if (!piece) continue
      if (piece.finish?.reason === 'error') {
        generation.abort()
        finish(events + event(JSON.stringify(errorBody(500, piece.finish.message ?? 'The engine failed.'))))
        return
      }
      if (!isOpened) events += chunks.opening()
      isOpened = true
      if (piece.finish) unfinished--
      const usage = plan.continuousUsage ? choiceUsage(plan, choice) : null
      events += chunks.piece(choice, piece, usage, unfinished === 0 && !plan.includesUsage)
    }
    if (unfinished > 0) {
      if (events !== '') stream.write(events)
      return
    }
    if (plan.includesUsage) {
      events += chunks.usage(usageOf(plan, generation.choices, options.showsCachedTokens))
    }
    finish(events)
  }
  /** Carries an injected fault out when its token has come. @returns true when nothing may be written now */
  const breaks = (): boolean => {
    const {fault} = options
    if ((fault?.kind !== 'cut' && fault?.kind !== 'stall') || hasBroken) return false
    if (generation.choices[0]!.generatedTokens <= fault.afterTokens) return false
    hasBroken = true
    if (fault.kind === 'cut') {
      stream.destroy()
      return true
    }
    stall = setTimeout(() => {
      stall = null
      flush()
    }, fault.ms)
    return true
  }
  // After the engine's step, so that a last token and its end leave in one event and a step in one write.
  const onChange = (): void => {
    if (isScheduled || isOver) return
    isScheduled = true
    process.nextTick(flush)
  }

  const generation = options.start(onChange)
  let unfinished = generation.choices.length
  let hasBroken = false
  const stream = openSseStream(raw, options.slowClientMs, {
    drained: flush,
    gone() {
      if (stall) clearTimeout(stall)
      generation.abort()
      isOver = true
    },
  })
}
