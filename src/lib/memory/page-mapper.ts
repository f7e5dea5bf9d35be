import type {Reservation} from './reservation.js'

/** What is available is asked so often, and changes so little, that an answer may be this old. */
const ANSWER_AGE_MS = 100

/** One reservation as an allocator of pages sees it; a page id is a page of it. */
export interface ReservationMapper {
  map(pageIds: readonly number[]): void
  unmap(pageIds: readonly number[]): void
  availablePages(): number
}

/**
 * Maps all pages it is told to, or none.
 *
 * @param utilization share of the device's memory that may be used, by whomever; 0 to 1
 */
export function pageMapper(reservation: Reservation, utilization: number): ReservationMapper {
  let available = Infinity
  let askedMs = -Infinity
  const pagesAvailable = (): number => {
    const nowMs = performance.now()
    if (nowMs - askedMs < ANSWER_AGE_MS) return available
    askedMs = nowMs
    return (available = Math.floor(reservation.availableBytes(utilization) / reservation.pageBytes))
  }
  return {
    availablePages: pagesAvailable,
    map(ids) {
      const done: number[] = []
      try {
        for (const id of ids) {
          reservation.map(id)
          done.push(id)
        }
      } catch (error) {
        reservation.unmap(...done)
        throw error
      }
      available -= ids.length
    },
    unmap(ids) {
      reservation.unmap(...ids)
      available += ids.length
    },
  }
}
