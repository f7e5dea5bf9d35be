/**
 * How a gateway's endpoint picker names the engine that it chose, and how it hears which one it was.
 *
 * @see kubernetes-sigs/gateway-api-inference-extension:docs/proposals/004-endpoint-picker-protocol
 */
export const DESTINATION_HEADER = 'x-gateway-destination-endpoint'
export const SERVED_HEADER = 'x-gateway-destination-endpoint-served'

/**
 * Pure: the addresses of those engines that a picker named, in its order: the first is wanted, the others stand in for it. Engines that
 * are not configured are never asked.
 *
 * @param header `ip:port[,ip:port…]`
 */
export function destinationsOf(header: string, engines: readonly {readonly url: string}[]): string[] {
  const byEndpoint = new Map(engines.map(({url}) => [endpointOf(url), url]))
  return header.split(',').flatMap(word => byEndpoint.get(plain(word.trim())) ?? [])
}

/** `host:port` of an engine, as a picker writes it. */
export function endpointOf(url: string): string {
  const {hostname, port, protocol} = new URL(url)
  return plain(`${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`)
}

function plain(endpoint: string): string {
  return endpoint.toLowerCase().replace(/^localhost:/, '127.0.0.1:')
}
