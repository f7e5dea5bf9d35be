/**
 * A worker's side of `startWorker`: hears its parent's orders, and ends with it.
 *
 * @returns sends a report; a parent that has left hears nothing
 */
export function serveParent(take: (order: never) => void): (report: object) => void {
  process.on('disconnect', () => process.exit(0))
  process.on('message', order => take(order as never))
  return report => {
    // Without the callback a channel that closes meanwhile would be an error of this process.
    if (process.connected) process.send!(report, undefined, undefined, () => undefined)
  }
}
