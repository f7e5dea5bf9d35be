import {expect} from 'chai'
import {blockHash, noneHash} from '../../src/lib/engine/core/block-hash.js'
import {range} from '../support/engine-core.js'

// sha256_cbor of vllm-project/vllm:vllm/v1/core/kv_cache_utils.py, so that other programs can find the same blocks.
describe('block hashes', () => {
  const start = noneHash('0')
  const of = (tokens: number[], extra: string[] | null, parent = start): string =>
    blockHash(parent, tokens, 0, tokens.length, extra)

  it('start from the hash of a seed string', () => {
    expect(start).to.equal('4e1195df020de59e0d65a33a4279f1183e7ae4e5d980e309f8b55adff2e61c3e')
    expect(noneHash('42')).to.equal('9fa6eb003f14425eb9c8e6baacfbcaab26257357b829c7bfa74ffcc4f31c1780')
  })

  it('start anywhere without a seed', () => {
    expect(noneHash(null))
      .to.match(/^[0-9a-f]{64}$/)
      .and.not.equal(noneHash(null))
  })

  it('chain from block to block', () => {
    const first = of(range(0, 16), null)
    expect(first).to.equal('d830de3d42c00f25a2949b5d12d98642664a44872c1614c5b0147556276afc9c')
    expect(BigInt.asUintN(64, BigInt(`0x${first}`))).to.equal(12_687_895_063_098_490_012n)
    const second = of(range(16, 32), null, first)
    expect(second).to.equal('fedd9e4abebebbe6f6cf96b682f08d316063fe2f22a5c552192dd62904fcccac')
    expect(BigInt.asUintN(64, BigInt(`0x${second}`))).to.equal(1_814_341_696_565_857_452n)
  })

  it('tell tenants and adapters apart', () => {
    expect(of(range(0, 16), ['tenant-a'])).to.equal(
      'a31aa6d7bd52d1db44c2e2c50ce6687164f2a198c45e6f9c6f5025e7d8dff1f7',
    )
    expect(of(range(0, 16), ['my-lora', 'tenant-a'])).to.equal(
      '71fd8692651aff062468df82c75ad4eef8026fda2da7dc5ac45b894a0cb1534f',
    )
  })

  it('write integers of every length in their shortest form', () => {
    const tokens = [128000, 9906, 1917, 0, 1, 23, 24, 255, 256, 65535, 65536, 4294967295, 5, 6, 7, 8]
    expect(of(tokens, null)).to.equal('98fabe03f60e5790df560e31fcba420ef4a3511faf04277f069168d6ee49f07b')
  })

  it('use only the tokens of their block', () => {
    expect(blockHash(start, [7, ...range(0, 16), 9], 1, 17, null)).to.equal(of(range(0, 16), null))
  })
})
