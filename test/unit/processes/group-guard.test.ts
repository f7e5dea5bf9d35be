import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {Readable} from 'node:stream'
import {expect} from 'chai'
import {guardGroups} from '../../../src/lib/processes/index.js'
import {endedAfterEach} from '../../support/children.js'

describe('the guard of process groups', () => {
  const children = endedAfterEach()
  const start = async (code: string): Promise<ChildProcess> => {
    const child = spawn(process.execPath, ['-e', `${code}; setInterval(() => {}, 1000); console.log('up')`], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    children.push(child)
    await once(child.stdout, 'data')
    return child
  }
  const ended = async (child: ChildProcess): Promise<NodeJS.Signals | null> =>
    ((await once(child, 'exit')) as [number | null, NodeJS.Signals | null])[1]

  it('asks each group to end, kills who does not in its time, and spares who has ended by itself', async () => {
    const [gentle, stubborn, forgotten] = await Promise.all([
      start(''),
      start("process.on('SIGTERM', () => {})"),
      start(''),
    ])
    const orders = [
      {kind: 'watch', pid: gentle.pid, stopMs: 20_000},
      {kind: 'watch', pid: forgotten.pid, stopMs: 20_000},
      {kind: 'watch', pid: stubborn.pid, stopMs: 50},
      {kind: 'forget', pid: forgotten.pid},
    ]
    const exits = Promise.all([ended(gentle), ended(stubborn)])
    await guardGroups(Readable.from(orders.map(order => `${JSON.stringify(order)}\n`)))
    expect(await exits).to.deep.equal(['SIGTERM', 'SIGKILL'])
    expect([forgotten.exitCode, forgotten.signalCode]).to.deep.equal([null, null])
  })
})
