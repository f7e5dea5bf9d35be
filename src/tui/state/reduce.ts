import type {MonitorLook} from '../../lib/monitor/index.js'
import type {TableId} from '../tables/table.js'
import {arrangeTables, focusedTable, type ArrangedTable} from './arrange.js'
import {extendHistory} from './history.js'
import {intentOf, type Intent, type KeyName} from './keys.js'
import type {KvtopState, Order, ViewId} from './state.js'

export type KvtopEvent =
  | {readonly kind: 'look'; readonly look: MonitorLook}
  | {readonly kind: 'key'; readonly key: KeyName; readonly text: string}
  | {readonly kind: 'select'; readonly table: TableId; readonly key: string}
  | {readonly kind: 'sort'; readonly table: TableId; readonly column: string}
  | {readonly kind: 'show'; readonly view: ViewId}
  | {readonly kind: 'wheel'; readonly by: number}

const PAGE = 10
const WHEEL = 3

/** Pure: what the screen is after something happened. */
export function reduce(state: KvtopState, event: KvtopEvent): KvtopState {
  switch (event.kind) {
    case 'look':
      return withLook(state, event.look)
    case 'key':
      return onKey(state, event.key, event.text)
    case 'select':
      return {...state, focus: event.table, selected: {...state.selected, [event.table]: event.key}}
    case 'sort':
      return sortBy(state, event.table, event.column)
    case 'show':
      return show(state, event.view)
    case 'wheel':
      return move(state, event.by * WHEEL)
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
  const intent = intentOf(key)
  if (state.dialog?.kind === 'help') {
    return intent === 'quit' ? {...state, hasQuit: true} : {...state, dialog: null}
  }
  return intent === null ? state : act(state, intent)
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
      return {...state, dialog: {kind: 'help'}}
    case 'overview':
    case 'segments':
    case 'gpus':
    case 'processes':
      return show(state, intent)
    case 'next-table':
      return stepTable(state, 1)
    case 'previous-table':
      return stepTable(state, -1)
    case 'up':
      return move(state, -1)
    case 'down':
      return move(state, 1)
    case 'page-up':
      return move(state, -PAGE)
    case 'page-down':
      return move(state, PAGE)
    case 'first':
      return move(state, -Infinity)
    case 'last':
      return move(state, Infinity)
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
    case 'back':
      return state.filter === '' ? {...state, hasDetails: false} : {...state, filter: ''}
  }
}

function show(state: KvtopState, view: ViewId): KvtopState {
  return {...state, view, focus: view === 'overview' ? state.focus : view}
}

/** In the overview, between its tables; elsewhere, between the views. */
function stepTable(state: KvtopState, by: number): KvtopState {
  const ids = arrangeTables(state).map(({id}) => id)
  const at = ids.indexOf(focusOf(state).id)
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
