import type {HostLook} from './host-look.js'

/** One machine that is looked at again and again. */
export interface HostWatch {
  /**
   * What is known now. Never fails: what went wrong is in the look.
   *
   * @param patienceMs how long to wait for what answers slowly, such as a GPU driver; without an answer the look before is
   * used, and where there is none, that part is empty
   * @throws the signal's reason when aborted
   */
  look(patienceMs: number, signal: AbortSignal): Promise<HostLook>
}
