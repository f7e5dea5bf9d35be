/** A process that answers at known times, for `--calibrate`. It does not outlive its parent. */
import {KnownServer, type KnownServerOrder, type KnownServerReport} from '../lib/bench/index.js'

const report = (message: KnownServerReport): void => {
  if (process.connected) process.send!(message)
}
let server: KnownServer | null = null

process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => undefined)
process.on('message', (order: KnownServerOrder) => {
  if (order.kind === 'serve') {
    server = new KnownServer(order.times)
    void server.listen().then(port => report({kind: 'listening', port}))
  } else {
    report({kind: 'answers', answers: server?.answers ?? []})
  }
})
