const EVERY_MS = 10
const LIMIT_MS = 20_000

/** Waits for something to become true. @param explain what to say when it never does */
export async function until(isSo: () => boolean | Promise<boolean>, explain: () => string): Promise<void> {
  const deadline = performance.now() + LIMIT_MS
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${LIMIT_MS} ms in vain:\n${explain()}`)
    await new Promise(resolve => setTimeout(resolve, EVERY_MS))
  }
}
