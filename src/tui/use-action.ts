import {useEffect} from 'react'
import type {MonitorActions} from '../lib/monitor/index.js'
import type {ActionRequest, ActionResult} from './state/action.js'

/** Does what was asked for, once, and tells what became of it; given up when the screen goes. */
export function useAction(
  request: ActionRequest | null,
  actions: MonitorActions,
  tell: (request: ActionRequest, result: ActionResult) => void,
): void {
  useEffect(() => {
    if (request === null) return
    const end = new AbortController()
    perform(request, actions, end.signal).then(
      result => tell(request, result),
      (error: unknown) => {
        if (!end.signal.aborted) tell(request, {kind: 'failed', error})
      },
    )
    return () => end.abort()
  }, [request, actions, tell])
}

async function perform(
  request: ActionRequest,
  actions: MonitorActions,
  signal: AbortSignal,
): Promise<ActionResult> {
  const {kind, host} = request
  switch (kind) {
    case 'limit':
      return {kind, change: await actions.setLimit(host, request.name, request.request, signal)}
    case 'delete':
      await actions.remove(host, request.name, signal)
      return {kind: 'deleted'}
    case 'sleep':
    case 'wake':
      await actions.order(host, kind, request.sleeper, signal)
      return {kind: 'obeyed'}
    case 'prune':
      return {kind: 'pruned', names: await actions.prune(host, signal)}
  }
}
