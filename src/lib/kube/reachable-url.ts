import {NetworkError} from '../foundation/index.js'
import type {ServiceUrls} from './service-urls.js'

/**
 * The address of a service that answers from here: within the cluster its own name first, outside the external one.
 *
 * @param answers whether OpenAI's routes answer below a base address
 * @throws NetworkError `SERVICE_UNREACHABLE`
 */
export async function reachableUrl(
  name: string,
  {externalUrl, clusterUrl, openAiPath}: ServiceUrls,
  isInCluster: boolean,
  answers: (baseUrl: string) => Promise<boolean>,
): Promise<string> {
  const known = isInCluster ? [clusterUrl, externalUrl] : [externalUrl, clusterUrl]
  const urls = known.flatMap(url => (url === null ? [] : [`${url.replace(/\/+$/, '')}${openAiPath}`]))
  for (const url of urls) if (await answers(url)) return url
  const tried = urls.length === 0 ? 'it has no address yet' : `${urls.join(' and ')} do not answer from here`
  throw new NetworkError('SERVICE_UNREACHABLE', `Connection timeout: '${name}' cannot be reached: ${tried}`, {
    suggestions: [
      `kubectl port-forward service/${name}-predictor 8080:80, then --url http://localhost:8080 --skip-deploy`,
      'check network connectivity',
    ],
  })
}
