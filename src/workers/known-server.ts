/** A process that answers at known times, for `--calibrate`. It does not outlive its parent. */
import {KnownServer, type KnownServerOrder, type KnownServerReport} from '../lib/bench/index.js'
import {serveParent} from '../lib/processes/index.js'

let server: KnownServer | null = null

const report: (report: KnownServerReport) => void = serveParent((order: KnownServerOrder) => {
  if (order.kind === 'serve') {
    server = new KnownServer(order.times)
    void server.listen().then(port => report({kind: 'listening', port}))
  } else {
    report({kind: 'answers', answers: server?.answers ?? []})
  }
})
