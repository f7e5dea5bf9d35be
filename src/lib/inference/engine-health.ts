import type {HttpClient} from '../http/index.js'
import {bearer} from './target.js'

const PROBE_MS = 5000

/** Whether an engine answers `/health` with 200; one without that route, whether it lists its models. */
export async function checkHealth(http: HttpClient, url: string, apiKey: string | null): Promise<boolean> {
  const asked = {timeoutMs: PROBE_MS, headers: bearer(apiKey)}
  try {
    const {status} = await http.get(`${url}/health`, asked)
    return (status === 404 ? await http.get(`${url}/v1/models`, asked) : {status}).status === 200
  } catch {
    return false
  }
}
