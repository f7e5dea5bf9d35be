/** A process that answers at known times, for `--calibrate`. It does not outlive its parent. */
import {KnownServer, type KnownServerOrder, type KnownServerReport} from '../lib/bench/index.js'

// A parent that has left hears nothing; without the callback that would be an error of this process.
const report = (message: KnownServerReport): void => {
  if (process.connected) process.send!(message, undefined, undefined, () => undefined)
}
let server: KnownServer | null = null

process.on('disconnect', () => process.exit(0))
process.on('message', (order: KnownServerOrder) => {
  if (order.kind === 'serve') {
    server = new KnownServer(order.times)
    void server.listen().then(port => report({kind: 'listening', port}))
  } else {
    report({kind: 'answers', answers: server?.answers ?? []})
  }
})
