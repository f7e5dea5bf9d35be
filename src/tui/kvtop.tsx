import {useApp, useInput} from 'ink'
import {useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef} from 'react'
import type {MonitorActions, MonitorLook} from '../lib/monitor/index.js'
import {drawFrame, type Frame, type FrameFacts} from './draw/frame.js'
import type {Glyphs} from './draw/glyphs.js'
import {paint} from './draw/paint.js'
import type {ActionRequest, ActionResult} from './state/action.js'
import {reduce, type KvtopEvent} from './state/reduce.js'
import {FIRST_STATE} from './state/state.js'
import type {FrameWriter, TerminalOutput} from './terminal/frame-writer.js'
import {keyPresses, mousePress} from './terminal/key-name.js'
import {useAction} from './use-action.js'
import {useScreenSize} from './use-screen-size.js'

/** Calls `onLook` until the signal is aborted. */
export type LookSource = (onLook: (look: MonitorLook) => void, signal: AbortSignal) => Promise<void>

export interface KvtopProps {
  readonly looks: LookSource
  readonly actions: MonitorActions
  readonly terminal: TerminalOutput
  readonly frames: Pick<FrameWriter, 'show'>
  readonly glyphs: Glyphs
  readonly hasColor: boolean
  readonly facts: FrameFacts
}

/**
 * The screen: looks and keys go in, frames go to the terminal. What they mean is decided in `state/`, how it looks in `draw/`.
 * Ink draws nothing: taking painted lines apart and putting them together again cost it more than all the rest.
 */
export function Kvtop({looks, actions, terminal, frames, glyphs, hasColor, facts}: KvtopProps): null {
  const [state, dispatch] = useReducer(reduce, FIRST_STATE)
  const size = useScreenSize(terminal)
  const frame = useMemo(() => drawFrame(state, size, glyphs, facts), [state, size, glyphs, facts])
  const {exit} = useApp()
  // What a click means is decided by the frame that was on the screen, not by one of some renders ago.
  const shown = useRef(frame)
  shown.current = frame
  useLayoutEffect(
    () => frames.show(frame.lines.map(line => paint(line, size.columns, hasColor, glyphs.ellipsis))),
    [frame, frames, size, hasColor, glyphs],
  )

  useEffect(() => {
    const end = new AbortController()
    looks(look => dispatch({kind: 'look', look}), end.signal).catch((error: unknown) =>
      exit(error instanceof Error ? error : new Error(String(error))),
    )
    return () => end.abort()
  }, [looks, exit])
  useEffect(() => {
    if (state.hasQuit) exit()
  }, [state.hasQuit, exit])
  const tell = useCallback(
    (request: ActionRequest, result: ActionResult) => dispatch({kind: 'acted', request, result}),
    [],
  )
  useAction(state.action, actions, tell)
  useInput((input, key) => {
    for (const event of eventsOf(input, key, shown.current)) dispatch(event)
  })

  return null
}

function eventsOf(input: string, key: Parameters<typeof keyPresses>[1], frame: Frame): KvtopEvent[] {
  const mouse = mousePress(input)
  if (mouse === null) return keyPresses(input, key).map(press => ({kind: 'key', ...press}))
  if (mouse.kind !== 'click') return [{kind: 'wheel', by: mouse.kind === 'wheel-up' ? -1 : 1}]
  const {row, column} = mouse
  const hit = frame.hits.find(({row: at, from, to}) => at === row && from <= column && column < to)
  return hit ? [hit.event] : []
}
