import {expect} from 'chai'
import {
  checkName,
  defaultSegmentName,
  groupInName,
  parseGroupId,
  sanitizeName,
} from '../../../src/lib/segments/segment-name.js'

describe('segment names', () => {
  const sanitized: [string, string][] = [
    ['my model/é:1', 'my-model-é-1'],
    ['../../etc', '------etc'],
    ['Llama_3-8B', 'Llama_3-8B'],
    ['模型٣', '模型٣'],
    ['x'.repeat(70), 'x'.repeat(64)],
    [`${'𝔘'.repeat(64)}y`, '𝔘'.repeat(64)],
  ]
  for (const [given, name] of sanitized) {
    it(`make ${JSON.stringify(given.slice(0, 20))} ${JSON.stringify(name.slice(0, 20))}`, () => {
      expect(sanitizeName(given)).to.equal(name)
    })
  }

  it('are KVCACHED_IPC_NAME when it is set and not empty, else the process group', () => {
    expect(defaultSegmentName({KVCACHED_IPC_NAME: 'a b'}, () => 7)).to.equal('a-b')
    expect(defaultSegmentName({KVCACHED_IPC_NAME: ''}, () => 7)).to.equal('kvcached_kvctl_7')
    expect(defaultSegmentName({}, () => 7)).to.equal('kvcached_kvctl_7')
  })

  it('find the process group behind a program name with spaces and parentheses, else the session', () => {
    expect(parseGroupId('42 (a) (b) c) S 1 4000 3999 0 -1')).to.equal(4000)
    expect(parseGroupId('42 (node) S 1 0 3999 0 -1')).to.equal(3999)
    expect(parseGroupId('42 (node) S 1 0 0 0 -1')).to.equal(null)
  })

  it('may be given as a path in the segment folder, and in no other', () => {
    expect(checkName('/dev/shm', '/dev/shm/vllm')).to.equal('vllm')
    for (const path of ['/tmp/vllm', '/dev/shm/../x', '/dev/shm/a/b', '/dev/shm/..', '/dev/shm']) {
      expect(() => checkName('/dev/shm', path), path).to.throw('is not a segment name')
    }
  })

  const names: [string, number | null][] = [
    ['kvcached_vLLM_12345', 12_345],
    ['kvcached_SGLang_12345_7', 12_345],
    ['kvcached_engine_12345_g2', 12_345],
    ['kvcached_kvctl_9', 9],
    ['kvcached_mem_info', null],
    ['llama_8', null],
    ['kvcached_x_0', null],
  ]
  for (const [name, group] of names) {
    it(`finds ${group ?? 'no'} process group in ${name}`, () => {
      expect(groupInName(name)).to.equal(group)
    })
  }
})
