export {FAILURES, type Failure, type Outcome, type Phase, type RequestRecord, type TokensSource} from './request-record.js'
