import {once} from 'node:events'
import {createServer, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'

/** What a server like vLLM's shows of its KV cache. */
export interface EnginePageFacts {
  readonly model?: string
  readonly root?: string
  readonly blocks?: string
  readonly usage?: number
  readonly cores?: readonly {readonly blocks: string; readonly usage: number}[]
}

/** A server with the two pages of vLLM that a monitor reads: `/metrics` and `/v1/models`. */
export interface EnginePage {
  readonly server: Server
  readonly url: string
  /** Requests for `/metrics` so far. */
  readonly reads: () => number
  /** What it shows from now on. */
  show(facts: EnginePageFacts): void
  /** How long `/metrics` takes from now on. */
  delay(ms: number): void
  close(): void
}

export async function engineServer(facts: EnginePageFacts = {}): Promise<EnginePage> {
  let [shown, delayMs, reads] = [facts, 0, 0]
  const server = createServer((request, response) => {
    const {model = 'meta-llama/Llama-3.1-8B-Instruct', root = model} = shown
    if (request.url === '/v1/models') {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({object: 'list', data: [{id: model, object: 'model', root}]}))
      return
    }
    if (request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    reads++
    setTimeout(() => {
      response.setHeader('content-type', 'text/plain; version=0.0.4')
      response.end(pageOf(shown, model))
    }, delayMs)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    reads: () => reads,
    show: next => (shown = next),
    delay: ms => (delayMs = ms),
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function pageOf(
  {blocks = '14401', usage = 0.25, cores = [{blocks, usage}]}: EnginePageFacts,
  model: string,
): string {
  const lines = cores.flatMap((core, index) => [
    `vllm:kv_cache_usage_perc{engine="${index}",model_name="${model}"} ${core.usage}`,
    `vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="${index}",num_gpu_blocks="${core.blocks}"} 1.0`,
    `vllm:prefix_cache_queries_total{engine="${index}",model_name="${model}"} 400`,
    `vllm:prefix_cache_hits_total{engine="${index}",model_name="${model}"} 100`,
  ])
  return `# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.\n${lines.join('\n')}\n`
}
