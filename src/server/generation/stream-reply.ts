import type {ServerResponse} from 'node:http'
import {errorBody, STREAM_END} from '../../lib/openai/index.js'
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
  /** Starts the answers; nothing has been sent while it may still throw. */
  start(onChange: () => void): Generation
  /** The reply has ended or its client has left; called once. */
  over(): void
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

  const finish = (events: string): void => {
    isOver = true
    stream.end(events + event(STREAM_END))
    options.over()
  }
  const flush = (): void => {
    isScheduled = false
    if (isOver || stream.isBlocked) return
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
  // After the engine's step, so that a last token and its end leave in one event and a step in one write.
  const onChange = (): void => {
    if (isScheduled || isOver) return
    isScheduled = true
    process.nextTick(flush)
  }

  const generation = options.start(onChange)
  let unfinished = generation.choices.length
  const stream = openSseStream(raw, options.slowClientMs, {
    drained: flush,
    gone() {
      generation.abort()
      if (isOver) return
      isOver = true
      options.over()
    },
  })
}
