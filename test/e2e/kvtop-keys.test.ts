import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {KEYS, type Intent, type KeyName} from '../../src/tui/state/keys.js'
import {engineServer, type EnginePage} from '../support/engine-page.js'
import {bareDriver, fullGpu} from '../support/nvml/driver-facts.js'
import {standInDriver} from '../support/nvml/stand-in.js'
import {describeWith} from '../support/requires.js'
import {GIB, recordBytes} from '../support/segments.js'
import {temporaryFolder} from '../support/temporary.js'
import {Tmux} from '../support/tmux.js'
import {until} from '../support/until.js'

/** What is pressed before a key, what the screen shows after it, and what brings the first screen back. */
interface Scene {
  readonly before?: readonly KeyName[]
  /** What the screen shows before the key is pressed. */
  readonly ready?: RegExp
  readonly shows: RegExp
  readonly after?: readonly KeyName[]
}

/** What each key does on the screen. A key without a line here does not compile. */
const SCENES: Readonly<Record<Exclude<Intent, 'quit'>, Scene>> = {
  help: {shows: /show or hide this/, after: ['escape']},
  filter: {shows: /Filter: /, after: ['escape']},
  'sort-next': {shows: /Segment▲/, after: ['<']},
  'sort-previous': {before: ['>', '>'], shows: /Segment▲/, after: ['<']},
  'sort-reverse': {shows: /Segment▼/, after: ['<', 'r', '<']},
  details: {shows: /^ IPC +seg-00$/m, after: ['escape']},
  pause: {shows: /PAUSED/, after: ['p']},
  limit: {shows: /New limit: /, after: ['escape']},
  restore: {shows: /Set the limit of seg-00/, after: ['n']},
  delete: {shows: /Delete segment seg-00/, after: ['n']},
  prune: {shows: /Delete every segment of/, after: ['n']},
  sleep: {before: ['4'], shows: /Put served at/, after: ['n']},
  wake: {before: ['4'], shows: /served is awake already/},
  undo: {shows: /there is nothing to take back/},
  up: {before: ['down', 'down'], shows: /▸seg-01/, after: ['home']},
  down: {shows: /▸seg-01/, after: ['home']},
  'page-up': {before: ['end'], shows: /▸seg-01/, after: ['home']},
  'page-down': {shows: /▸seg-10/, after: ['home']},
  first: {before: ['end'], shows: /▸seg-00/},
  last: {shows: /▸seg-11/, after: ['home']},
  'next-table': {shows: /\[3 GPU/},
  'previous-table': {before: ['3'], shows: /\[2 Seg/},
  overview: {shows: /\[1 (All|Overview)\]/},
  segments: {before: ['3'], shows: /\[2 Seg/},
  gpus: {shows: /\[3 GPU/},
  engines: {shows: /\[4 Eng/},
  processes: {shows: /\[5 Proc/},
  tiers: {shows: /\[6 Tier/},
  models: {shows: /\[7 C/},
  back: {before: ['/', 'x', 'enter'], ready: /^Filter: x +Esc drop +q/m, shows: /▸seg-00/},
}

const TMUX_NAMES: Readonly<Record<string, string>> = {
  ...{up: 'Up', down: 'Down', pageup: 'PPage', pagedown: 'NPage', home: 'Home', end: 'End', tab: 'Tab'},
  ...{'shift-tab': 'BTab', enter: 'Enter', escape: 'Escape', space: 'Space'},
}

describeWith(['tmux', 'ps', 'gcc|cc'], 'kvtop on a real terminal with GPUs and an engine', () => {
  const folder = temporaryFolder()
  let tmux: Tmux | null = null
  let engine: EnginePage

  /** An Escape that another key follows at once is Alt with that key: it is waited for. */
  const press = async (key: KeyName): Promise<void> => {
    const [shown, withoutTime] = [tmux!.screen, (text: string) => text.replace(/\d\d:\d\d:\d\d/, '')]
    const named = TMUX_NAMES[key] ?? (key.startsWith('ctrl-') ? `C-${key.slice(5)}` : null)
    if (named === null) tmux!.type(key)
    else tmux!.press(named)
    if (key !== 'escape') return
    await until(
      () => withoutTime(tmux!.screen) !== withoutTime(shown),
      () => shown,
    )
  }

  before(async () => (engine = await engineServer({model: 'served', blocks: '100', usage: 0.5})))
  after(() => engine.close())
  afterEach(() => tmux?.close())

  const start = async (columns: number, rows: number): Promise<void> => {
    const shm = join(folder(), 'shm')
    mkdirSync(shm, {recursive: true})
    for (let at = 0; at < 12; at++)
      writeFileSync(join(shm, `seg-${String(at).padStart(2, '0')}`), recordBytes(GIB, BigInt(at) << 20n))
    const driver = standInDriver(folder(), {...bareDriver(2), ...fullGpu(0), ...fullGpu(1, 20)})
    const env = {KVCTL_SHM_DIR: shm, KVCTL_STATE_DIR: join(folder(), 'state'), ...driver.env}
    tmux = new Tmux({columns, rows, env})
    await tmux.start('kvtop', '--engine-url', engine.url, '; echo left with $?')
  }

  for (const [columns, rows] of [
    [40, 10],
    [80, 24],
    [300, 80],
  ] as const) {
    it(`does what each key says at ${columns}x${rows}`, async function () {
      this.timeout(180_000)
      await start(columns, rows)
      await tmux!.shows(/^ 1 +50\.0%|^ 0 .*50\.0%|50\.0% 40\.0 GB/m)
      for (const {intent, keys} of KEYS) {
        if (intent === 'quit') continue
        const {before = [], ready, shows, after = []} = SCENES[intent]
        for (const key of keys) {
          await press('2')
          await tmux!.shows(/\[2 Seg[^]*▸seg-00/)
          for (const one of before) await press(one)
          if (ready) await tmux!.shows(ready)
          await press(key)
          await tmux!.shows(shows).catch((error: unknown) => {
            throw new Error(`${key} of ${intent}`, {cause: error})
          })
          for (const one of after) await press(one)
        }
      }
      await press('3')
      await tmux!.shows(/85%/)
      await press('4')
      await tmux!.shows(/served .*50\.0%/)
    })

    it(`leaves by each of its keys at ${columns}x${rows}`, async function () {
      this.timeout(60_000)
      const {keys} = KEYS.find(({intent}) => intent === 'quit')!
      await start(columns, rows)
      for (const [at, key] of keys.entries()) {
        await tmux!.shows(/▸seg-00/)
        await press(key)
        await tmux!.shows(/left with 0\nprompt>$/)
        if (at === keys.length - 1) break
        tmux!.type('clear')
        tmux!.press('Enter')
        await until(
          () => !tmux!.screen.includes('left with'),
          () => tmux!.screen,
        )
        await tmux!.start('kvtop', '; echo left with $?')
      }
      expect(tmux!.state).to.deep.equal({isAlternate: false, hasCursor: true, hasMouse: false})
    })
  }
})
