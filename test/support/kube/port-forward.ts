import {connect, type Socket} from 'node:net'
import type {Duplex} from 'node:stream'
import {acceptSpdy} from './spdy.js'

/**
 * The tunnel to ports of a pod, on a socket that was upgraded: for each connection the client opens a stream of errors and one of
 * data.
 *
 * @param target where every port of the pod leads, with its port
 * @see kubernetes/kubelet:pkg/cri/streaming/portforward/httpstream.go
 */
export function forwardPorts(socket: Socket, target: URL): void {
  const errors = new Map<string, Duplex>()
  acceptSpdy(socket, ({headers: {streamtype: type, requestid: id = ''}, stream}) => {
    if (type === 'error') {
      errors.set(id, stream.resume())
      return
    }
    const pod = connect(Number(target.port), target.hostname)
    pod.on('error', () => errors.get(id)?.write('connection refused'))
    stream.on('error', () => pod.destroy())
    stream.pipe(pod).pipe(stream)
    pod.once('close', () => {
      errors.get(id)?.end()
      errors.delete(id)
      stream.end()
    })
    stream.once('close', () => pod.destroy())
  })
}
