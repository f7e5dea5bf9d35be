/**
 * An engine that does nothing but answer, as a process of its own: what a gateway adds shows best in front of it.
 *
 *   node router-engine.js
 *
 * prints one line `{"port"}` and serves until its stdin ends. A body with `"stream":true` is answered with `max_tokens` events,
 * each a write of its own, `gap_ms` apart; a negative gap sends the first event and holds the stream open.
 */
import {createServer, type AddressInfo, type Socket} from 'node:net'
import {requestsOn} from '../../test/support/requests-on.js'

const EVENT =
  'data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" token","logprobs":null,"finish_reason":null}]}\n\n'
const FRAMED = frame(EVENT)
const LAST = `${frame('data: [DONE]\n\n').toString('latin1')}0\r\n\r\n`
const HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n'
const WHOLE = JSON.stringify({
  ...{id: 'cmpl-1', object: 'text_completion', created: 1, model: 'm'},
  choices: [{index: 0, text: ' token token token token', logprobs: null, finish_reason: 'length'}],
  usage: {prompt_tokens: 4, completion_tokens: 4, total_tokens: 8},
})
const WHOLE_ANSWER = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${WHOLE.length}\r\n\r\n${WHOLE}`

function frame(text: string): Buffer {
  return Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`)
}

function answer(socket: Socket, body: string): void {
  if (!body.includes('"stream":true')) {
    socket.write(WHOLE_ANSWER)
    return
  }
  const {max_tokens: events, gap_ms: gapMs} = JSON.parse(body) as {max_tokens: number; gap_ms: number}
  socket.write(HEAD)
  socket.write(FRAMED)
  if (gapMs < 0) return
  let left = events - 1
  const timer = setInterval(() => {
    if (left-- > 0 && !socket.destroyed) {
      socket.write(FRAMED)
      return
    }
    clearInterval(timer)
    socket.write(LAST)
  }, gapMs)
}

const server = createServer({noDelay: true}, socket => {
  requestsOn(socket, (head, body) => {
    if (head.startsWith('POST ')) answer(socket, body)
    else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  })
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({port: (server.address() as AddressInfo).port})}\n`)
})
process.stdin.resume().on('end', () => process.exit(0))
