export {countPromptTokens, fetchMetricsText, fetchVersion} from './server-pages.js'
export {bearer, findTarget, type InferenceTarget, type TargetQuery} from './target.js'
