import {NetworkError} from '../foundation/index.js'
import {jsonOf, type HttpClient} from '../http/index.js'
import {bearer} from '../inference/index.js'
import type {ModelConfig} from './config/controller-config.js'

/** An entry of `/v1/models`: the engine's own where it answers, else the least that OpenAI's clients need. */
export type ModelCard = Readonly<Record<string, unknown>> & {readonly id: string}

const PATIENCE_MS = 2000

/** Asks the engines of one model, one after the other, for its card. */
export async function modelCard(
  http: HttpClient,
  {name, replicas, apiKey}: ModelConfig,
  sinceMs: number,
): Promise<ModelCard> {
  for (const {url} of replicas) {
    try {
      const asked = {timeoutMs: PATIENCE_MS, headers: bearer(apiKey)}
      const {data} = jsonOf(await http.get(`${url}/v1/models`, asked)) as {data?: unknown}
      const cards = Array.isArray(data) ? (data as (ModelCard | null)[]) : []
      const card = cards.find(one => one?.id === name)
      if (card) return card
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
    }
  }
  return {id: name, object: 'model', created: Math.floor(sinceMs / 1000), owned_by: 'kvctl'}
}
