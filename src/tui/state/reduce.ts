import type {MonitorLook} from '../../lib/monitor/index.js'
import type {Row, TableId} from '../tables/table.js'
import {
  askForLimit,
  askForOrder,
  conclude,
  describeFailure,
  questionFor,
  type ActionRequest,
  type ActionResult,
  type SegmentAddress,
  type SleeperAddress,
} from './action.js'
import {arrangeTables, focusedTable, overviewTables, type ArrangedTable} from './arrange.js'
import {extendHistory} from './history.js'
import {intentOf, KEYS, type Intent, type KeyName} from './keys.js'
import type {Dialog, KvtopState, Order, ViewId} from './state.js'

export type KvtopEvent =
  | {readonly kind: 'look'; readonly look: MonitorLook}
  | {readonly kind: 'key'; readonly key: KeyName; readonly text: string}
  | {readonly kind: 'select'; readonly table: TableId; readonly key: string}
  | {readonly kind: 'sort'; readonly table: TableId; readonly column: string}
  | {readonly kind: 'show'; readonly view: ViewId}
  | {readonly kind: 'wheel'; readonly by: number}
  | {readonly kind: 'acted'; readonly request: ActionRequest; readonly result: ActionResult}

const PAGE = 10
const WHEEL = 3
const STEPS = {
  ...{up: -1, down: 1, 'page-up': -PAGE, 'page-down': PAGE, first: -Infinity, last: Infinity},
} as const

/** Pure: what the screen is after something happened. */
export function reduce(state: KvtopState, event: KvtopEvent): KvtopState {
  switch (event.kind) {
    case 'look':
      return withLook(state, event.look)
    case 'key':
      return onKey(state.message === null ? state : {...state, message: null}, event.key, event.text)
    case 'select':
      return {...state, focus: event.table, selected: {...state.selected, [event.table]: event.key}}
    case 'sort':
      return sortBy(state, event.table, event.column)
    case 'show':
      return show(state, event.view)
    case 'wheel':
      return state.dialog?.kind === 'help'
        ? helpFrom(state, state.dialog.from + event.by * WHEEL)
        : move(state, event.by * WHEEL)
    case 'acted':
      return withResult(state, event.request, event.result)
  }
}

/** While paused, the history goes on, so that it has no holes afterwards. */
function withLook(state: KvtopState, look: MonitorLook): KvtopState {
  const history = extendHistory(state.history, look)
  return state.isPaused && state.look !== null ? {...state, history} : {...state, look, history}
}

function onKey(state: KvtopState, key: KeyName, text: string): KvtopState {
  if (key === 'ctrl-c') return {...state, hasQuit: true}
  if (state.dialog?.kind === 'filter') return typeFilter(state, state.dialog.before, key, text)
  if (state.dialog?.kind === 'limit') return typeLimit(state, state.dialog, key, text)
  if (state.dialog?.kind === 'confirm') return answer(state, state.dialog.request, key)
  const intent = intentOf(key)
  if (state.dialog?.kind === 'help') {
    return intent === 'quit' ? {...state, hasQuit: true} : scrollHelp(state, state.dialog.from, intent)
  }
  return intent === null ? state : act(state, intent)
}

/** What moves through rows moves through the help; any other key closes it. */
function scrollHelp(state: KvtopState, from: number, intent: Intent | null): KvtopState {
  return intent !== null && intent in STEPS
    ? helpFrom(state, from + STEPS[intent as keyof typeof STEPS])
    : {...state, dialog: null}
}

function helpFrom(state: KvtopState, from: number): KvtopState {
  return {...state, dialog: {kind: 'help', from: Math.min(KEYS.length, Math.max(0, from))}}
}

/** Enter asks whether it is meant; what is refused can be corrected. */
function typeLimit(
  state: KvtopState,
  dialog: Dialog & {readonly kind: 'limit'},
  key: KeyName,
  text: string,
): KvtopState {
  if (key === 'escape') return {...state, dialog: null}
  if (key !== 'enter')
    return {...state, dialog: {...dialog, text: edited(dialog.text, key, text), problem: null}}
  if (dialog.text.trim() === '') return {...state, dialog: null}
  const asked = askForLimit(dialog.segment, dialog.text)
  return {...state, dialog: 'problem' in asked ? {...dialog, ...asked} : {kind: 'confirm', ...asked}}
}

/** Only `y` does it. */
function answer(state: KvtopState, request: ActionRequest, key: KeyName): KvtopState {
  const isMeant = key === 'y' || key === 'Y'
  return {...state, dialog: null, ...(isMeant && {action: request})}
}

function withResult(state: KvtopState, request: ActionRequest, result: ActionResult): KvtopState {
  const {message, undo} = conclude(request, result)
  const isTakenBack = 'isUndo' in request && request.isUndo && result.kind !== 'failed'
  const earlier = isTakenBack ? state.undo.slice(0, -1) : state.undo
  return {...state, action: null, message, undo: undo === null ? earlier : [...earlier, undo]}
}

/** Rows follow while a filter is typed; Escape brings back the one before. */
function typeFilter(state: KvtopState, before: string, key: KeyName, text: string): KvtopState {
  if (key === 'enter') return {...state, dialog: null}
  if (key === 'escape') return {...state, dialog: null, filter: before}
  return {...state, filter: edited(state.filter, key, text)}
}

export function edited(text: string, key: KeyName, typed: string): string {
  if (key === 'backspace') return Array.from(text).slice(0, -1).join('')
  if (key === 'ctrl-u') return ''
  return text + typed
}

function act(state: KvtopState, intent: Intent): KvtopState {
  switch (intent) {
    case 'quit':
      return {...state, hasQuit: true}
    case 'help':
      return {...state, dialog: {kind: 'help', from: 0}}
    case 'overview':
    case 'segments':
    case 'gpus':
    case 'engines':
    case 'processes':
    case 'tiers':
    case 'models':
      return show(state, intent)
    case 'next-table':
      return stepTable(state, 1)
    case 'previous-table':
      return stepTable(state, -1)
    case 'up':
    case 'down':
    case 'page-up':
    case 'page-down':
    case 'first':
    case 'last':
      return move(state, STEPS[intent])
    case 'sort-next':
      return stepSort(state, 1)
    case 'sort-previous':
      return stepSort(state, -1)
    case 'sort-reverse':
      return reverse(state)
    case 'filter':
      return {...state, dialog: {kind: 'filter', before: state.filter}}
    case 'details':
      return {...state, hasDetails: !state.hasDetails}
    case 'pause':
      return {...state, isPaused: !state.isPaused}
    case 'limit':
      return onSegment(state, segment => ({
        ...state,
        dialog: {kind: 'limit', segment, text: '', problem: null},
      }))
    case 'restore':
      return onSegment(state, segment => askRestore(state, segment))
    case 'delete':
      return onSegment(state, segment => askDelete(state, segment))
    case 'prune':
      return askPrune(state)
    case 'sleep':
    case 'wake':
      return onSleeper(state, sleeper => confirmOrder(state, sleeper, intent, false))
    case 'undo':
      return askUndo(state)
    case 'back':
      return state.filter === '' ? {...state, hasDetails: false} : {...state, filter: ''}
  }
}

function onSegment(state: KvtopState, then: (segment: SegmentAddress) => KvtopState): KvtopState {
  if (state.action !== null) return refuse(state, 'the last action is not done yet')
  const {rows, selectedAt} = focusOf(state)
  const segment = rows[selectedAt]?.segment ?? null
  if (segment === null) return refuse(state, 'select a segment first')
  return segment.state === 'missing' ? refuse(state, segment.stateReason) : then(segment)
}

function onSleeper(state: KvtopState, then: (sleeper: SleeperAddress) => KvtopState): KvtopState {
  if (state.action !== null) return refuse(state, 'the last action is not done yet')
  const {rows, selectedAt} = focusOf(state)
  const sleeper = rows[selectedAt]?.sleeper ?? null
  return sleeper === null ? refuse(state, 'select an engine or a model that answers first') : then(sleeper)
}

function confirmOrder(
  state: KvtopState,
  sleeper: SleeperAddress,
  order: 'sleep' | 'wake',
  isUndo: boolean,
): KvtopState {
  const asked = askForOrder(sleeper, order, isUndo)
  return 'problem' in asked ? refuse(state, asked.problem) : {...state, dialog: {kind: 'confirm', ...asked}}
}

function refuse(state: KvtopState, why: string): KvtopState {
  return {...state, message: {text: why, tone: 'warn'}}
}

function askRestore(state: KvtopState, segment: SegmentAddress): KvtopState {
  try {
    const asked = questionFor(segment, {limitBytes: null, isForced: false}, false)
    return {...state, dialog: {kind: 'confirm', ...asked}}
  } catch (error) {
    return refuse(state, describeFailure(error))
  }
}

function askDelete(state: KvtopState, {host, name, state: verdict, stateReason}: SegmentAddress): KvtopState {
  const question = `Delete segment ${name} (${verdict}: ${stateReason})? It cannot be taken back.`
  return {...state, dialog: {kind: 'confirm', question, request: {kind: 'delete', host, name}}}
}

function askPrune(state: KvtopState): KvtopState {
  if (state.action !== null) return refuse(state, 'the last action is not done yet')
  const {rows, selectedAt} = arrangeTables(state)[0]!
  const host = rows[selectedAt]?.segment?.host ?? state.look?.hosts[0]?.host
  if (host === undefined) return state
  const segments = state.look!.hosts.find(look => look.host === host)!.segments
  const stale = segments.filter(({state: verdict}) => verdict === 'stale').length
  const question = `Delete every segment of ${host} whose engine is proven dead (${stale} of ${segments.length} look so)? It cannot be taken back.`
  return {...state, dialog: {kind: 'confirm', question, request: {kind: 'prune', host}}}
}

/** What is to be taken back is asked about as it stands now. */
function askUndo(state: KvtopState): KvtopState {
  if (state.action !== null) return refuse(state, 'the last action is not done yet')
  const last = state.undo.at(-1)
  if (last?.kind === 'sleep' || last?.kind === 'wake') return askOrderBack(state, last)
  if (last?.kind !== 'limit') return refuse(state, 'there is nothing to take back')
  const host = state.look?.hosts.find(look => look.host === last.host)
  const segment = host?.segments.find(({name}) => name === last.name)
  if (host === undefined || segment === undefined || segment.state === 'missing') {
    return {...refuse(state, `${last.name} is gone`), undo: state.undo.slice(0, -1)}
  }
  try {
    const asked = questionFor({...segment, host: host.host}, last.request, true)
    return {...state, dialog: {kind: 'confirm', ...asked}}
  } catch (error) {
    return refuse(state, describeFailure(error))
  }
}

function askOrderBack(
  state: KvtopState,
  last: ActionRequest & {readonly kind: 'sleep' | 'wake'},
): KvtopState {
  const isSame = (row: Row): boolean =>
    row.sleeper?.host === last.host && JSON.stringify(row.sleeper.sleeper) === JSON.stringify(last.sleeper)
  const sleeper = arrangeTables({...state, filter: ''}).flatMap(
    ({rows}) => rows.find(isSame)?.sleeper ?? [],
  )[0]
  const forgotten = {...state, undo: state.undo.slice(0, -1)}
  return sleeper === undefined
    ? refuse(forgotten, 'what was asked to sleep or wake is gone')
    : confirmOrder(state, sleeper, last.kind, true)
}

function show(state: KvtopState, view: ViewId): KvtopState {
  return {...state, view, focus: view === 'overview' ? state.focus : view}
}

/** In the overview, between its tables; elsewhere, between the views. */
function stepTable(state: KvtopState, by: number): KvtopState {
  const tables = arrangeTables(state)
  const ids = (state.view === 'overview' ? overviewTables(tables) : tables).map(({id}) => id)
  const at = ids.indexOf(focusedTable(state, tables).id)
  const next = ids[(at + by + ids.length) % ids.length]!
  return {...state, focus: next, view: state.view === 'overview' ? 'overview' : next}
}

function move(state: KvtopState, by: number): KvtopState {
  const {id, rows, selectedAt} = focusOf(state)
  const row = rows[Math.min(rows.length - 1, Math.max(0, selectedAt + by))]
  return row === undefined ? state : {...state, selected: {...state.selected, [id]: row.key}}
}

function sortBy(state: KvtopState, table: TableId, column: string): KvtopState {
  const order = state.order[table]
  const isDescending = order?.column === column ? !order.isDescending : false
  return withOrder({...state, focus: table}, table, {column, isDescending})
}

/** Through the order of the look, then each column. */
function stepSort(state: KvtopState, by: number): KvtopState {
  const {id, columns, order} = focusOf(state)
  const ids = [null, ...columns.filter(({title}) => title !== '').map(column => column.id)]
  const column = ids[(ids.indexOf(order.column) + by + ids.length) % ids.length] ?? null
  return withOrder(state, id, {column, isDescending: order.isDescending})
}

function reverse(state: KvtopState): KvtopState {
  const {id, order, columns} = focusOf(state)
  const column = order.column ?? columns[0]?.id ?? null
  return withOrder(state, id, {column, isDescending: !order.isDescending})
}

function withOrder(state: KvtopState, table: TableId, order: Order): KvtopState {
  return {...state, order: {...state.order, [table]: order}}
}

function focusOf(state: KvtopState): ArrangedTable {
  return focusedTable(state, arrangeTables(state))
}
