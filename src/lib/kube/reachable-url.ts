import {NetworkError} from '../foundation/index.js'
import type {ServiceName} from './service-name.js'
import type {ServiceUrls} from './service-urls.js'

/** The Service before the pods, and a port of this machine that may lead to its own. */
const SERVICE_PORTS = {
  InferenceService: {suffix: '-predictor', ports: '8080:80'},
  LLMInferenceService: {suffix: '-kserve-workload-svc', ports: '8080:8000'},
} as const

/**
 * The address of a service that answers from here: within the cluster its own name first, outside the external one; where none
 * does, a port of this machine that leads to a pod.
 *
 * @param answers whether OpenAI's routes answer below a base address
 * @param forward makes such a port; null where there is no pod that is ready
 * @throws NetworkError `SERVICE_UNREACHABLE`
 */
export async function reachableUrl(
  {kind, name, namespace}: ServiceName,
  {externalUrl, clusterUrl, moreUrls, openAiPath}: ServiceUrls,
  isInCluster: boolean,
  answers: (baseUrl: string) => Promise<boolean>,
  forward: () => Promise<string | null>,
): Promise<string> {
  const known = [...(isInCluster ? [clusterUrl, externalUrl] : [externalUrl, clusterUrl]), ...moreUrls]
  const urls = known.flatMap(url => (url === null ? [] : [`${url.replace(/\/+$/, '')}${openAiPath}`]))
  for (const url of urls) if (await answers(url)) return url
  const forwarded = await forward()
  if (forwarded !== null && (await answers(`${forwarded}${openAiPath}`))) return `${forwarded}${openAiPath}`
  const tried =
    urls.length === 0
      ? 'it has no address yet'
      : `${urls.join(' and ')} ${urls.length === 1 ? 'does' : 'do'} not answer from here, and no pod of it either`
  const {suffix, ports} = SERVICE_PORTS[kind]
  const isSecure = [...urls, forwarded ?? ''].some(url => url.startsWith('https:'))
  throw new NetworkError('SERVICE_UNREACHABLE', `Connection timeout: '${name}' cannot be reached: ${tried}`, {
    suggestions: [
      `kubectl port-forward -n ${namespace} service/${name}${suffix} ${ports}, then --url http://localhost:8080`,
      ...(isSecure ? ['--insecure, where its certificate is one of its own'] : []),
      'check network connectivity',
    ],
  })
}
