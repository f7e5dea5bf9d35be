import type {RemoteServer} from './ask-server.js'

/** Tells a controller to put a model to sleep or wake it. @throws as `ControllerClient.order` */
export async function orderModel(
  {http, url, token}: RemoteServer,
  order: 'sleep' | 'wake',
  model: string,
  signal: AbortSignal,
): Promise<void> {
  // A controller's client comes with the whole router, which a screen does not start with.
  const {createControllerClient} = await import('../router/index.js')
  await createControllerClient(http, url, token, signal).order(order, model)
}
