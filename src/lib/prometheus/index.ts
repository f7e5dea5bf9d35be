export {createPrometheus, type Prometheus, type PrometheusSeries} from './client.js'
export type {ServiceLabels} from './queries.js'
export {readWindow, type Span} from './read-window.js'
export {recordWindow, type RecordOptions} from './record-window.js'
