import {Box, Text, useApp, useInput} from 'ink'
import {useEffect, useMemo, useReducer, useRef} from 'react'
import type {MonitorLook} from '../lib/monitor/index.js'
import {drawFrame, type Frame, type FrameFacts} from './draw/frame.js'
import type {Glyphs} from './draw/glyphs.js'
import {paint} from './draw/paint.js'
import {reduce, type KvtopEvent} from './state/reduce.js'
import {FIRST_STATE} from './state/state.js'
import type {TerminalOutput} from './terminal/frame-stream.js'
import {keyPress, mousePress} from './terminal/key-name.js'
import {useScreenSize} from './use-screen-size.js'

/** Calls `onLook` until the signal is aborted. */
export type LookSource = (onLook: (look: MonitorLook) => void, signal: AbortSignal) => Promise<void>

export interface KvtopProps {
  readonly looks: LookSource
  readonly terminal: TerminalOutput
  readonly glyphs: Glyphs
  readonly hasColor: boolean
  readonly facts: FrameFacts
}

/** The screen: looks and keys go in, a frame comes out. What they mean is decided in `state/`, how it looks in `draw/`. */
export function Kvtop({looks, terminal, glyphs, hasColor, facts}: KvtopProps): React.JSX.Element {
  const [state, dispatch] = useReducer(reduce, FIRST_STATE)
  const size = useScreenSize(terminal)
  const frame = useMemo(() => drawFrame(state, size, glyphs, facts), [state, size, glyphs, facts])
  const {exit} = useApp()
  // What a click means is decided by the frame that was on the screen, not by one of some renders ago.
  const shown = useRef(frame)
  shown.current = frame

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
  useInput((input, key) => {
    const event = eventOf(input, key, shown.current)
    if (event) dispatch(event)
  })

  return (
    <Box flexDirection="column">
      {frame.lines.map((line, row) => (
        <Text key={row} wrap="truncate">
          {paint(line, size.columns, hasColor, glyphs.ellipsis) || ' '}
        </Text>
      ))}
    </Box>
  )
}

function eventOf(input: string, key: Parameters<typeof keyPress>[1], frame: Frame): KvtopEvent | null {
  const mouse = mousePress(input)
  if (mouse?.kind === 'wheel-up') return {kind: 'wheel', by: -1}
  if (mouse?.kind === 'wheel-down') return {kind: 'wheel', by: 1}
  if (mouse) {
    const {row, column} = mouse
    return frame.hits.find(hit => hit.row === row && hit.from <= column && column < hit.to)?.event ?? null
  }
  const press = keyPress(input, key)
  return press && {kind: 'key', ...press}
}
