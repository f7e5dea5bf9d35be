export {reserveHostMemory, type HostReservationOptions} from './host-reservation.js'
export type {Reservation} from './reservation.js'
