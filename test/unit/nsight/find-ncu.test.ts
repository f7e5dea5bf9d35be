import {chmodSync, mkdirSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {expect} from 'chai'
import {findNcu} from '../../../src/lib/nsight/index.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('Nsight Compute', () => {
  const folder = temporaryFolder()
  const place = (path: string, mode = 0o755): string => {
    const file = join(folder(), path)
    mkdirSync(dirname(file), {recursive: true})
    writeFileSync(file, '#!/bin/sh\n')
    chmodSync(file, mode)
    return file
  }

  it('is found on PATH, then where NVIDIA puts it, the newest first', async () => {
    const environment = {PATH: `${join(folder(), 'bin')}:${join(folder(), 'more')}`}
    expect(await findNcu(environment, folder())).to.equal(null)
    place('opt/nvidia/nsight-compute/2024.1.1/ncu')
    const newest = place('opt/nvidia/nsight-compute/2024.10.0/ncu')
    expect(await findNcu(environment, folder())).to.equal(newest)
    const toolkit = place('usr/local/cuda/bin/ncu')
    expect(await findNcu(environment, folder())).to.equal(toolkit)
    const onPath = place('more/ncu')
    place('bin/ncu', 0o644)
    expect(await findNcu(environment, folder())).to.equal(onPath)
  })
})
