/**
 * How close `kvctl sweep --knee rate` comes to the capacity of a server that is known: four places of 200 ms each are 20 requests
 * a second, whatever comes first waits in line.
 *
 *   npm run build && npm run build:test && node build/bench/knee.js [runs]
 */
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync} from 'node:fs'
import {createServer, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

const PLACES = 4
const SERVICE_MS = 200
const CAPACITY = (PLACES * 1000) / SERVICE_MS

const waiting: ServerResponse[] = []
let busy = 0
const next = (): void => {
  while (busy < PLACES && waiting.length > 0) {
    const response = waiting.shift()!
    busy++
    setTimeout(() => {
      busy--
      const choice = {index: 0, delta: {content: 'a'}, finish_reason: 'length'}
      const usage = {prompt_tokens: 1, completion_tokens: 1, total_tokens: 2}
      response.end(
        `data: ${JSON.stringify({choices: [choice]})}\n\ndata: ${JSON.stringify({choices: [], usage})}\n\ndata: [DONE]\n\n`,
      )
      next()
    }, SERVICE_MS)
  }
}
const server = createServer((request, response) => {
  request.resume()
  request.once('end', () => {
    if (request.method === 'GET') {
      const isModels = request.url === '/v1/models'
      response.writeHead(isModels ? 200 : 404, {'content-type': 'application/json'})
      response.end(isModels ? JSON.stringify({object: 'list', data: [{id: 'known', object: 'model'}]}) : '{}')
      return
    }
    response.writeHead(200, {'content-type': 'text/event-stream'})
    response.flushHeaders()
    waiting.push(response)
    next()
  })
})

await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const folder = mkdtempSync(join(tmpdir(), 'kvctl-knee-'))
for (let run = 1; run <= Number(process.argv[2] ?? 1); run++) {
  const load = ['--pattern', 'constant', '--duration', '10s', '--max-tokens', '1', '--timeout', '60s']
  const search = ['--knee', 'rate', '--from', '10', '--most', '80', '--precision', '3']
  const goal = ['--objective', 'p95(e2e_sched) <= 500ms']
  const args = [
    'sweep',
    '--url',
    url,
    ...load,
    ...search,
    ...goal,
    '--output-dir',
    join(folder, String(run)),
    '--json',
  ]
  const child = spawn(process.execPath, ['bin/run.js', ...args], {stdio: ['ignore', 'pipe', 'inherit']})
  let text = ''
  child.stdout.on('data', (part: Buffer) => (text += part.toString()))
  await once(child, 'close')
  const {knee, points} = JSON.parse(text) as {knee: {best: number; failing: number}; points: unknown[]}
  const off = (100 * (knee.best - CAPACITY)) / CAPACITY
  console.log(
    `run ${run}: knee ${knee.best.toFixed(2)} requests/s (${knee.failing.toFixed(2)} fails) of ${CAPACITY}, ${off.toFixed(1)} %, ${points.length} runs`,
  )
}
server.close()
rmSync(folder, {recursive: true})
