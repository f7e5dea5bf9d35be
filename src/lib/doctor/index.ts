export type {Check, CheckStatus} from './check.js'
export {examine, type DoctorParts, type DoctorQuestions} from './examine.js'
export {doctorJson, type DoctorJson} from './json.js'
