import {spawn} from 'node:child_process'
import {createInterface} from 'node:readline'

/** What the system holds of files in its memory. */
export interface PageCache {
  /** Writes what it holds of these to the device, and lets it forget them. @throws when it keeps something */
  forget(paths: readonly string[]): Promise<void>
  close(): void
}

const SCRIPT = `while read -r path; do
  dd of="$path" oflag=nocache conv=notrunc,fdatasync count=0 2>&1 && fincore --bytes --noheadings --output RES "$path" 2>&1
  echo .
done`

/**
 * Speaks with a shell that was started once: to start a program from here each time would make every page of this process one
 * that is copied, or at least faulted in, on its next write, in the middle of what is measured.
 */
export function openPageCache(): PageCache {
  const shell = spawn('sh', ['-c', SCRIPT], {stdio: ['pipe', 'pipe', 'inherit']})
  const lines = createInterface(shell.stdout)[Symbol.asyncIterator]()
  const answer = async (): Promise<string> => {
    let said = ''
    for (;;) {
      const {value, done} = await lines.next()
      if (done === true) throw new Error('the shell ended')
      if (value === '.') return said
      said = value
    }
  }
  return {
    async forget(paths) {
      for (const path of paths) {
        // Pages that another core is about to list are passed over.
        let held = ''
        for (let turn = 0; turn < 20 && held !== '0'; turn++) {
          shell.stdin.write(`${path}\n`)
          held = (await answer()).trim()
        }
        if (held !== '0') throw new Error(`the page cache keeps ${held} bytes of ${path}`)
      }
    },
    close: () => shell.stdin.end(),
  }
}
