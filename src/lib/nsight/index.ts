export {findExecutable, findNcu} from './find-ncu.js'
export {nsightJson, type NsightJson, type NsightProcessJson} from './json.js'
export {BASE_METRICS} from './metrics.js'
export {runNsight, type NsightReport, type NsightRun} from './run-nsight.js'
