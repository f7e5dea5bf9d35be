import {NetworkError} from '../foundation/index.js'
import type {ServiceUrls} from './service-urls.js'

/**
 * The address of a service that answers from here: within the cluster its own name first, outside the external one; where none
 * does, a port of this machine that leads to a pod.
 *
 * @param answers whether OpenAI's routes answer below a base address
 * @param forward makes such a port; null where there is no pod that is ready
 * @throws NetworkError `SERVICE_UNREACHABLE`
 */
export async function reachableUrl(
  name: string,
  {externalUrl, clusterUrl, openAiPath}: ServiceUrls,
  isInCluster: boolean,
  answers: (baseUrl: string) => Promise<boolean>,
  forward: () => Promise<string | null>,
): Promise<string> {
  const known = isInCluster ? [clusterUrl, externalUrl] : [externalUrl, clusterUrl]
  const urls = known.flatMap(url => (url === null ? [] : [`${url.replace(/\/+$/, '')}${openAiPath}`]))
  for (const url of urls) if (await answers(url)) return url
  const forwarded = await forward()
  if (forwarded !== null && (await answers(`${forwarded}${openAiPath}`))) return `${forwarded}${openAiPath}`
  const tried =
    urls.length === 0
      ? 'it has no address yet'
      : `${urls.join(' and ')} do not answer from here, and no pod of it either`
  throw new NetworkError('SERVICE_UNREACHABLE', `Connection timeout: '${name}' cannot be reached: ${tried}`, {
    suggestions: [
      `kubectl port-forward service/${name}-predictor 8080:80, then --url http://localhost:8080 --skip-deploy`,
      'check network connectivity',
    ],
  })
}
