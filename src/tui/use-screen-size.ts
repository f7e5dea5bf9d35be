import {useEffect, useState} from 'react'
import type {ScreenSize} from './draw/frame.js'
import type {TerminalOutput} from './terminal/frame-writer.js'

/** The terminal's size, which changes when its window does. */
export function useScreenSize(terminal: TerminalOutput): ScreenSize {
  const [size, setSize] = useState(() => sizeOf(terminal))
  useEffect(() => {
    const onResize = (): void => setSize(sizeOf(terminal))
    terminal.on('resize', onResize)
    return () => {
      terminal.off('resize', onResize)
    }
  }, [terminal])
  return size
}

function sizeOf({columns, rows}: TerminalOutput): ScreenSize {
  return {columns: columns || 80, rows: rows || 24}
}
