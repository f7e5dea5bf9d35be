import {heldBytes, type SegmentRecord} from '../segments/index.js'

const PAGE_BYTES = 2n * 1024n * 1024n
const SMALLEST_PAGES = 4n

/**
 * A limit that an engine cannot meet without giving memory back: half of what it holds, in whole pages of 2 MiB, but never so
 * little that no request could run.
 *
 * @returns bytes
 */
export function pressureLimit(record: SegmentRecord): bigint {
  const pages = heldBytes(record) / 2n / PAGE_BYTES
  return (pages > SMALLEST_PAGES ? pages : SMALLEST_PAGES) * PAGE_BYTES
}
