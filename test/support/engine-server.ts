import type {AddressInfo} from 'node:net'
import {silentLogger} from '../../src/lib/foundation/index.js'
import {createBuiltinTokenizer} from '../../src/lib/tokens/index.js'
import {createEngineApp, type EngineApp, type EngineAppOptions} from '../../src/server/engine-app.js'
import type {ServedModel} from '../../src/server/generation/plan.js'
import type {ServedEngine} from '../../src/server/served-engine.js'

export interface EngineServer {
  readonly url: string
  readonly app: EngineApp
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  close(): Promise<void>
}

type Overrides = Partial<Omit<EngineAppOptions, 'engine' | 'model'>> & {readonly model?: Partial<ServedModel>}

/** The engine's HTTP surface, not listening. */
export function buildEngineApp(engine: ServedEngine, overrides: Overrides = {}): EngineApp {
  return createEngineApp({
    engine,
    version: '0.1.0',
    apiKeys: [],
    cacheConfig: {block_size: '16', num_gpu_blocks: '65'},
    info: {timing: 'none'},
    maxSequences: 64,
    maxBodyBytes: 1_000_000,
    slowClientMs: 10_000,
    echoesRequestIds: false,
    isDevelopment: true,
    canSleep: true,
    logger: silentLogger,
    ...overrides,
    model: {
      names: ['m', 'alias'],
      root: 'org/m',
      tokenizer: createBuiltinTokenizer(),
      maxModelLen: engine.maxModelLen,
      hasPriorities: false,
      showsCachedTokens: false,
      forcesUsage: false,
      maxLogprobs: 20,
      maxSequencesPerRequest: 16,
      seed: 0,
      autoTools: null,
      ...overrides.model,
    },
  })
}

/** The engine's HTTP surface on a real socket of 127.0.0.1, over whatever engine a test brings. */
export async function serveEngine(engine: ServedEngine, overrides: Overrides = {}): Promise<EngineServer> {
  const app = buildEngineApp(engine, overrides)
  await app.http.listen({host: '127.0.0.1', port: 0})
  const url = `http://127.0.0.1:${(app.http.server.address() as AddressInfo).port}`
  return {
    url,
    app,
    get: (path, headers = {}) => fetch(url + path, {headers}),
    post: (path, body, headers = {}) =>
      fetch(url + path, {
        method: 'POST',
        headers: {'content-type': 'application/json', ...headers},
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    close: () => app.http.close(),
  }
}
