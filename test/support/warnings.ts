/** Names of the warnings that Node prints from now on; `end` waits for those on their way. */
export function warningsOfNode(): {end(): Promise<string[]>} {
  const names: string[] = []
  const hear = ({name}: Error): void => void names.push(name)
  process.on('warning', hear)
  return {
    async end() {
      await new Promise(setImmediate)
      process.off('warning', hear)
      return names
    },
  }
}
