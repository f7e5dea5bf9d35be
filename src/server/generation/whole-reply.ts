import type {ServerResponse} from 'node:http'
import {ApiError} from '../api-error.js'
import type {Generation} from './generate.js'
import type {Answer} from './replies.js'

/**
 * Waits for every answer of a request that is not streamed.
 *
 * @returns null when the client left first; its answers were aborted
 * @throws ApiError 500 when the engine failed
 */
export async function collectAnswers(
  raw: ServerResponse,
  start: (onChange: () => void) => Generation,
): Promise<Answer[] | null> {
  let changed = (): void => {}
  const ended = new Promise<void>(resolve => {
    changed = () => {
      if (generation?.choices.every(choice => choice.isFinished)) resolve()
    }
  })
  let generation: Generation | null = null
  generation = start(() => changed())
  changed()
  const left = new Promise<'left'>(resolve => {
    if (raw.destroyed) resolve('left')
    raw.once('close', () => resolve('left'))
  })
  if ((await Promise.race([ended, left])) === 'left') {
    generation.abort()
    return null
  }
  const answers = generation.choices.map(choice => ({choice, piece: choice.take()!}))
  const failed = answers.find(({piece}) => piece.finish?.reason === 'error')
  if (failed) {
    generation.abort()
    throw new ApiError(500, failed.piece.finish?.message ?? 'The engine failed.')
  }
  return answers
}
