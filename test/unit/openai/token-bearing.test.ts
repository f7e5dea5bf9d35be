import {expect} from 'chai'
import {errorBody, errorMessage, isTokenBearing, type StreamChunk} from '../../../src/lib/openai/index.js'

const delta = (fields: object): StreamChunk => ({choices: [{index: 0, delta: fields, finish_reason: null}]})

describe('which chunk brings a token', () => {
  const bearing: [string, StreamChunk, number][] = [
    ['content', delta({content: 'Hello'}), 0],
    ['a lone blank', delta({content: ' '}), 0],
    ['reasoning of vLLM', delta({reasoning: 'so'}), 0],
    ['reasoning of older servers', delta({reasoning_content: 'so'}), 0],
    ['a refusal', delta({refusal: 'no'}), 0],
    ['the name of a tool', delta({tool_calls: [{function: {name: 'look_up'}}]}), 0],
    ['a piece of tool arguments', delta({tool_calls: [{function: {arguments: '{"'}}]}), 0],
    ['text of a completion', {choices: [{index: 0, text: ' a'}]}, 0],
    ['the last text together with its finish reason', {choices: [{text: ' b', finish_reason: 'length'}]}, 0],
    ['a token whose text a parser swallowed', {...delta({content: ''}), usage: {completion_tokens: 8}}, 7],
  ]
  for (const [what, chunk, seen] of bearing) {
    it(`is one with ${what}`, () => expect(isTokenBearing(chunk, seen)).to.equal(true))
  }

  const silent: [string, StreamChunk, number][] = [
    ['the role delta', delta({role: 'assistant', content: ''}), 0],
    ['the role delta with null content', delta({role: 'assistant', content: null}), 0],
    ['an empty delta with a finish reason', {choices: [{delta: {}, finish_reason: 'stop'}]}, 0],
    ['an empty text', {choices: [{text: '', finish_reason: 'stop'}]}, 0],
    ['the usage chunk', {choices: [], usage: {completion_tokens: 2}}, 1],
    ['a running total that stands still', {...delta({content: ''}), usage: {completion_tokens: 7}}, 7],
    ['an empty tool call', delta({tool_calls: [{function: {name: '', arguments: ''}}]}), 0],
    ['usage: null', {choices: [], usage: null}, 0],
    ['an error', {error: {message: 'no'}}, 0],
  ]
  for (const [what, chunk, seen] of silent) {
    it(`is not ${what}`, () => expect(isTokenBearing(chunk, seen)).to.equal(false))
  }
})

describe('error bodies', () => {
  it("have vLLM's shape, with the status as an integer code", () => {
    expect(errorBody(404, 'The model `x` does not exist.', 'model')).to.deep.equal({
      error: {message: 'The model `x` does not exist.', type: 'NotFoundError', param: 'model', code: 404},
    })
  })

  const bodies: [string, unknown, string | null][] = [
    ['vLLM', {error: {message: 'too long', type: 'BadRequestError', param: null, code: 400}}, 'too long'],
    ["vLLM's key check", {error: 'Unauthorized'}, 'Unauthorized'],
    ['FastAPI', {detail: 'Not Found'}, 'Not Found'],
    ["FastAPI's validator", {detail: [{msg: 'field required'}]}, '[{"msg":"field required"}]'],
    ['SGLang', {object: 'error', message: 'bad', type: 'BadRequest', code: 400}, 'bad'],
    ['nobody', {object: 'list', data: []}, null],
    ['a number', 5, null],
  ]
  for (const [who, body, message] of bodies) {
    it(`are read when written by ${who}`, () => expect(errorMessage(body)).to.equal(message))
  }
})
