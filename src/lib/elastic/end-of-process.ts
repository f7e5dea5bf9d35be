const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/**
 * Calls `clean` when the process ends: by itself, by a throw, or by a signal that would end it. Where nobody else listens
 * to the signal, the process still ends of it, with its own status.
 *
 * @returns stops that
 */
export function cleanUpOnEnd(clean: () => void): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    clean()
    stop()
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
  }
  const stop = (): void => {
    process.off('exit', clean)
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
  process.on('exit', clean)
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return stop
}
