import type {Logger} from '../foundation/index.js'
import type {Device, PageReserve} from '../memory/index.js'
import type {SegmentStore} from '../segments/index.js'

/** A device on which KV memory can be taken. */
export interface KvDevice {
  /** `cpu` or `cuda:N`. */
  readonly name: string
  readonly memoryBytes: number
  readonly reserve: PageReserve
}

/** What the library asks of the machine; `wiring/` makes the real ones. */
export interface ElasticParts {
  readonly environment: NodeJS.ProcessEnv
  readonly logger: Logger
  /** Where workers have their sockets; kvcached's is /tmp. */
  readonly temporaryFolder: string
  segmentStore(): Promise<SegmentStore>
  /** @throws ResourceError when there is no such device */
  openDevice(device: Device): Promise<KvDevice>
}
