import type {MonitorLook} from '../../lib/monitor/index.js'
import type {TableId} from '../tables/table.js'
import type {ActionRequest, Message, SegmentAddress} from './action.js'
import type {History} from './history.js'

export type ViewId = 'overview' | TableId

export const VIEWS: readonly {readonly id: ViewId; readonly title: string; readonly short: string}[] = [
  {id: 'overview', title: 'Overview', short: 'All'},
  {id: 'segments', title: 'Segments', short: 'Seg'},
  {id: 'gpus', title: 'GPUs', short: 'GPU'},
  {id: 'engines', title: 'Engines', short: 'Eng'},
  {id: 'processes', title: 'Processes', short: 'Proc'},
  {id: 'tiers', title: 'Tiers', short: 'Tier'},
  {id: 'models', title: 'Controller', short: 'Ctrl'},
]

export interface Order {
  /** Null keeps the order of the look. */
  readonly column: string | null
  readonly isDescending: boolean
}

/** What lies over the screen and takes the keys. */
export type Dialog =
  /** @property from lines of it that were scrolled away */
  | {readonly kind: 'help'; readonly from: number}
  | {readonly kind: 'filter'; readonly before: string}
  /** A size is being typed; `problem` says why the last one was refused. */
  | {
      readonly kind: 'limit'
      readonly segment: SegmentAddress
      readonly text: string
      readonly problem: string | null
    }
  | {readonly kind: 'confirm'; readonly question: string; readonly request: ActionRequest}

/** Everything a frame is drawn from. */
export interface KvtopState {
  readonly look: MonitorLook | null
  readonly history: History
  readonly view: ViewId
  /** The table that keys act on, in the overview. */
  readonly focus: TableId
  /** Keys of the selected rows; without one, the first row is. */
  readonly selected: Readonly<Partial<Record<TableId, string>>>
  readonly order: Readonly<Partial<Record<TableId, Order>>>
  readonly filter: string
  readonly hasDetails: boolean
  readonly isPaused: boolean
  readonly dialog: Dialog | null
  /** What is being done; the screen starts it once. */
  readonly action: ActionRequest | null
  /** What became of the last action. */
  readonly message: Message | null
  /** What can be taken back, the last one last. */
  readonly undo: readonly ActionRequest[]
  readonly hasQuit: boolean
}

export const FIRST_STATE: KvtopState = {
  look: null,
  history: new Map(),
  view: 'overview',
  focus: 'segments',
  selected: {},
  order: {},
  filter: '',
  hasDetails: false,
  isPaused: false,
  dialog: null,
  action: null,
  message: null,
  undo: [],
  hasQuit: false,
}
