import {Flags} from '@oclif/core'
import type {ActionJson, ControllerClient} from '../lib/router/index.js'
import {DEFAULT_CONTROLLER_URL} from './controller-url.js'
import {KvctlCommand} from './kvctl-command.js'
import {urlFlag} from './flags.js'
import {whileWaiting} from './waiting-line.js'

export const controllerFlags = {
  url: urlFlag({
    description: `where the controller listens (default ${DEFAULT_CONTROLLER_URL}; also KVCTL_URL)`,
  }),
  token: Flags.string({description: 'its bearer token (also KVCTL_TOKEN)', helpValue: 'TOKEN'}),
}

interface ControllerAddress {
  readonly url?: string | undefined
  readonly token?: string | undefined
}

/** What the commands share that ask a controller. */
export abstract class ControllerCommand extends KvctlCommand {
  /** Sleep and wake, which take as long as weights take to move. */
  protected async order(
    flags: ControllerAddress,
    order: 'sleep' | 'wake',
    model: string,
  ): Promise<ActionJson> {
    const what = order === 'sleep' ? `Putting ${model} to sleep` : `Waking ${model}`
    const {ORDER_MS} = await import('../lib/router/index.js')
    return whileWaiting(
      what,
      ORDER_MS,
      this.ask(flags, controller => controller.order(order, model)),
    )
  }

  protected async ask<T>(
    flags: ControllerAddress,
    question: (controller: ControllerClient) => Promise<T>,
  ): Promise<T> {
    const {createHttpClient} = await import('../lib/http/index.js')
    const {createControllerClient} = await import('../lib/router/index.js')
    const http = createHttpClient()
    const url = flags.url ?? (process.env['KVCTL_URL'] || DEFAULT_CONTROLLER_URL)
    const token = flags.token ?? (process.env['KVCTL_TOKEN'] || null)
    try {
      return await question(createControllerClient(http, url, token, this.signal))
    } finally {
      await http.close()
    }
  }
}

/** A query string of what is given. */
export function queryOf(parts: Readonly<Record<string, number | undefined>>): string {
  const given = Object.entries(parts).filter(([, value]) => value !== undefined)
  return given.length === 0 ? '' : `?${given.map(([name, value]) => `${name}=${value! / 1000}`).join('&')}`
}
