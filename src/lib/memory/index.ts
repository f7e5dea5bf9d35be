export {
  cudaMemoryBytes,
  openCudaDriver,
  reserveCudaMemory,
  type CudaReservationOptions,
} from './cuda-reservation.js'
export {parseDevice, type Device} from './device.js'
export {reserveHostMemory, type HostReservationOptions} from './host-reservation.js'
export {pageMapper} from './page-mapper.js'
export type {PageReserve, Read, Reservation} from './reservation.js'
