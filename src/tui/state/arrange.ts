import type {MonitorLook} from '../../lib/monitor/index.js'
import {enginesTable} from '../tables/engines-table.js'
import {gpusTable} from '../tables/gpus-table.js'
import {modelsTable} from '../tables/models-table.js'
import {processesTable} from '../tables/processes-table.js'
import {segmentsTable} from '../tables/segments-table.js'
import {tiersTable} from '../tables/tiers-table.js'
import type {Row, Table, TableId} from '../tables/table.js'
import type {KvtopState, Order} from './state.js'

const NOTHING: MonitorLook = {takenAtMs: 0, hosts: []}

/** A table with the rows that are to be shown, in order. */
export interface ArrangedTable extends Table {
  /** Before the filter. */
  readonly totalRows: number
  readonly order: Order
  /** Of the selected row; -1 where there is none. */
  readonly selectedAt: number
}

/** Pure: every table of the screen, filtered and sorted. */
export function arrangeTables(state: KvtopState): ArrangedTable[] {
  const {look, history, filter} = state
  const seen = look ?? NOTHING
  return [
    segmentsTable(seen, history),
    gpusTable(seen, history),
    enginesTable(seen, history),
    processesTable(seen),
    tiersTable(seen),
    modelsTable(seen),
  ].map(table => {
    const order = state.order[table.id] ?? {column: null, isDescending: false}
    const rows = sortRows(filterRows(table.rows, filter), order)
    const found = rows.findIndex(({key}) => key === state.selected[table.id])
    const selectedAt = rows.length === 0 ? -1 : Math.max(0, found)
    return {...table, rows, totalRows: table.rows.length, order, selectedAt}
  })
}

/** Those of the overview. */
export function overviewTables(tables: readonly ArrangedTable[]): readonly ArrangedTable[] {
  return tables.filter(({isExtra, totalRows}) => isExtra !== true || totalRows > 0)
}

/** The table that keys act on. */
export function focusedTable(state: KvtopState, tables: readonly ArrangedTable[]): ArrangedTable {
  const id: TableId = state.view === 'overview' ? state.focus : state.view
  return tables.find(table => table.id === id)!
}

/** Every word must occur; upper and lower case are the same. */
export function filterRows(rows: readonly Row[], filter: string): readonly Row[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return rows
  return rows.filter(row => words.every(word => row.words.toLowerCase().includes(word)))
}

/** Numbers by size, texts by alphabet, unknown last in either direction; equal ones keep their order. */
export function sortRows(rows: readonly Row[], {column, isDescending}: Order): readonly Row[] {
  if (column === null) return rows
  const sign = isDescending ? -1 : 1
  const places = rows.map(row => ({row, by: row.cell(column)?.sort ?? null}))
  places.sort(({by: a}, {by: b}) => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1
    if (typeof a === 'number' && typeof b === 'number') return (a - b) * sign
    return String(a).localeCompare(String(b), 'en', {numeric: true}) * sign
  })
  return places.map(({row}) => row)
}
