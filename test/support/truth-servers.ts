import {startTruthServer, type TruthServer} from './truth.js'

/** Starts truth servers that end with their test, whatever becomes of it. */
export function truthServers(): typeof startTruthServer {
  const running = new Set<TruthServer>()
  afterEach(async () => {
    const left = [...running]
    running.clear()
    await Promise.all(left.map(async server => server.stop()))
  })
  return async options => {
    const server = await startTruthServer(options)
    running.add(server)
    return {
      ...server,
      async stop() {
        running.delete(server)
        return server.stop()
      },
    }
  }
}
