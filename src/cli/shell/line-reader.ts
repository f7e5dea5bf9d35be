import {createInterface} from 'node:readline'
import type {Completer} from 'node:readline'

export interface LineReaderOptions {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
  readonly prompt: string
  readonly history: readonly string[]
  readonly completer: (line: string) => Promise<[string[], string]>
}

/** Lines that a person types; between two of them the terminal is free for the command that runs. */
export interface LineReader {
  /** @returns null at the end: Ctrl-D, or the signal */
  next(signal: AbortSignal): Promise<string | null>
}

/**
 * A prompt with history and completion. Each line has a readline of its own: while a command runs, the terminal is cooked, so
 * that Ctrl-C is a signal to it and to what it started.
 */
export function createLineReader(options: LineReaderOptions): LineReader {
  const {input, output, prompt, completer} = options
  let history = [...options.history].reverse()
  /** Lines that were pasted at once, and what was typed behind the last one. */
  const queued: string[] = []
  let rest = ''

  const ask = async (signal: AbortSignal): Promise<string | null> => {
    const complete = ((line: string, done: (error: null, result: [string[], string]) => void) => {
      completer(line).then(
        result => done(null, result),
        () => done(null, [[], line]),
      )
    }) as unknown as Completer
    // A full screen leaves it unreferenced, and the program would end for want of work.
    input.ref()
    const reader = createInterface({
      ...{
        input,
        output,
        prompt,
        completer: complete,
        history,
        historySize: 1000,
        removeHistoryDuplicates: true,
      },
      terminal: true,
    })
    reader.on('history', lines => (history = lines))
    return new Promise(resolve => {
      let isAnswered = false
      const answer = (line: string | null): void => {
        if (isAnswered) return
        isAnswered = true
        reader.close()
        signal.removeEventListener('abort', leave)
        resolve(line)
      }
      const leave = (): void => answer(null)
      signal.addEventListener('abort', leave, {once: true})
      // Giving a terminal that is gone its modes back fails.
      reader.on('error', leave)
      reader.on('line', line => {
        queued.push(line)
        if (queued.length > 1) return
        // What was pasted with it is still being read.
        setImmediate(() => {
          rest = reader.line
          answer(queued.shift() ?? '')
        })
      })
      reader.on('SIGINT', () => {
        output.write('^C\n')
        // @ts-expect-error -- documented as read-only, but the way to drop what was typed
        reader.line = ''
        // @ts-expect-error -- as above
        reader.cursor = 0
        reader.prompt()
      })
      reader.on('close', () => {
        if (isAnswered) return
        output.write('\n')
        answer(null)
      })
      reader.prompt()
      if (rest !== '') reader.write(rest)
      rest = ''
    })
  }

  return {
    async next(signal) {
      const pasted = queued.shift()
      if (pasted === undefined) return signal.aborted ? null : ask(signal)
      output.write(`${prompt}${pasted}\n`)
      return pasted
    },
  }
}
