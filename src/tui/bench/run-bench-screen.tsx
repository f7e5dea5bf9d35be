import {Box, render, Text} from 'ink'
import type {LiveLook} from '../../lib/bench/index.js'
import type {Glyphs} from '../draw/glyphs.js'
import {paint} from '../draw/paint.js'
import type {TerminalOutput} from '../terminal/frame-writer.js'
import {InlineStream} from '../terminal/inline-stream.js'
import {benchLines, type BenchFacts} from './bench-lines.js'

export interface BenchScreenOptions {
  readonly stdin: NodeJS.ReadStream
  readonly terminal: TerminalOutput
  readonly glyphs: Glyphs
  readonly hasColor: boolean
}

/** What a run shows while it lasts, below what the terminal shows already. */
export interface BenchScreen {
  show(look: LiveLook, facts: BenchFacts): void
  /** A line that stays. */
  note(text: string): void
  /** Takes the screen away. */
  end(): void
}

export function openBenchScreen({stdin, terminal, glyphs, hasColor}: BenchScreenOptions): BenchScreen {
  const frames = new InlineStream(terminal)
  // In its debug mode Ink writes each frame whole and leaves the terminal to us, also where CI is set.
  const screen = render(<Box />, {
    stdin,
    stdout: frames as unknown as NodeJS.WriteStream,
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
  })
  return {
    show(look, facts) {
      screen.rerender(<BenchView {...{look, facts, glyphs, hasColor}} columns={terminal.columns} />)
    },
    note: text => frames.note(text),
    end() {
      frames.close()
      screen.unmount()
    },
  }
}

interface BenchViewProps {
  readonly look: LiveLook
  readonly facts: BenchFacts
  readonly columns: number
  readonly glyphs: Glyphs
  readonly hasColor: boolean
}

function BenchView({look, facts, columns, glyphs, hasColor}: BenchViewProps): React.JSX.Element {
  return (
    <Box flexDirection="column">
      {benchLines(look, facts, columns, glyphs).map((line, row) => (
        <Text key={row} wrap="truncate">
          {paint(line, columns, hasColor, glyphs.ellipsis) || ' '}
        </Text>
      ))}
    </Box>
  )
}
