import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {findProgram} from '../requires.js'

/**
 * A `kubectl` in a folder of its own that forwards ports as the real one says that it does, without the cluster's tunnel, which
 * the stand-in of the API server does not have; everything else the real one does.
 *
 * @param url where the tunnel leads to
 * @returns the folder, for the front of PATH
 * @see kubernetes/client-go:tools/portforward/portforward.go — the line that it prints
 */
export function forwardingKubectl(folder: string, url: string): string {
  const bin = join(folder, 'bin')
  mkdirSync(bin, {recursive: true})
  const {hostname, port} = new URL(url)
  writeFileSync(
    join(bin, 'forward.cjs'),
    `const net = require('node:net')
const server = net.createServer(client => {
  const pod = net.connect(${port}, '${hostname}')
  client.pipe(pod).pipe(client)
  for (const one of [client, pod]) one.on('error', () => { client.destroy(); pod.destroy() })
})
server.listen(0, '127.0.0.1', () => console.log(\`Forwarding from 127.0.0.1:\${server.address().port} -> 8080\`))
require('node:fs').writeFileSync('${join(bin, 'forwarded')}', process.argv.slice(2).join(' ') + '\\n' + process.pid)
`,
  )
  const script = `#!/bin/sh
[ "$1" = port-forward ] && exec ${process.execPath} ${join(bin, 'forward.cjs')} "$@"
exec ${findProgram('kubectl')!} "$@"
`
  writeFileSync(join(bin, 'kubectl'), script, {mode: 0o755})
  return bin
}
