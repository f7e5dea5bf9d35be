/**
 * The least that Node passes on with, as a process of its own: node:http in front, undici behind, nothing decided.
 *
 *   node bare-proxy.js 8000
 *
 * prints one line `{"port"}` and passes every request on to that port until its stdin ends.
 */
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {Pool} from 'undici'

const pool = new Pool(`http://127.0.0.1:${process.argv[2]!}`, {pipelining: 1})

const server = createServer({noDelay: true}, (request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const {method = 'GET', url: path = '/', headers} = request
    const options = {path, method: method as 'POST', headers, body: Buffer.concat(parts)}
    pool.dispatch(options, {
      onRequestStart() {},
      onResponseStart: (_, status, answered) => void response.writeHead(status, answered),
      onResponseData: (_, chunk) => void response.write(chunk),
      onResponseEnd: () => void response.end(),
      onResponseError: () => void response.destroy(),
    })
  })
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({port: (server.address() as AddressInfo).port})}\n`)
})
process.stdin.resume().on('end', () => process.exit(0))
