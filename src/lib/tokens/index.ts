export {createBuiltinTokenizer, type ChatTemplateOptions, type Tokenizer, type Turn} from './tokenizer.js'
export type {StreamDecoder} from './stream-decoder.js'
export type {Vocabulary} from './vocabulary.js'
