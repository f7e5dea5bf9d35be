import {join} from 'node:path'
import {Flags} from '@oclif/core'
import {countFlag, urlFlag} from '../../cli/flags.js'
import {KvctlCommand} from '../../cli/kvctl-command.js'
import {apiKeyOf} from '../../cli/api-key.js'
import type {RunDisplay} from '../../cli/run-display.js'
import type {CacheProbe, CacheProbeOptions, HalfParts, ProbeHalf} from '../../lib/probe/index.js'
import {benchParts} from '../../wiring/index.js'

const PROMPTS = {unique: 'prompts that nobody has seen', repeated: 'prompts that begin alike'} as const

export default class ProbeCache extends KvctlCommand {
  static override summary = 'tell whether a server has a prefix cache, and what it saves'
  static override description =
    'Measures prompts that nobody has seen, then prompts of the same length that share their beginning, one at a time, and tests the difference of their times to the first token; beside it the hits that the server counts. Without --url it probes engines of its own.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000',
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000 --prefix-tokens 4096 --requests 60 --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    url: urlFlag({description: 'the server to probe'}),
    model: Flags.string({description: 'the model to ask for (default: the first that the server lists)'}),
    'api-key': Flags.string({
      description: 'bearer token (also KVCTL_API_KEY, KVMINI_API_KEY, OPENAI_API_KEY)',
    }),
    insecure: Flags.boolean({description: 'accept any TLS certificate'}),
    requests: countFlag({description: 'requests of each half', min: 10, default: 40}),
    'prefix-tokens': countFlag({
      description: 'length of the beginning that is shared',
      min: 64,
      default: 1024,
    }),
    'output-dir': Flags.string({
      description: 'folder of the two runs (default one below runs, or below KVMINI_OUTPUT_DIR)',
      helpValue: 'DIR',
    }),
  }

  async run(): Promise<CacheProbe> {
    const {flags} = await this.parse(ProbeCache)
    const root = process.env['KVMINI_OUTPUT_DIR'] || 'runs'
    const {runName} = await import('../../lib/runs/index.js')
    const folder = flags['output-dir'] ?? join(root, `cache-probe_${runName(new Date())}`)
    const probe = await this.#measure(folder, {
      urls: flags.url === undefined ? [] : [flags.url],
      model: flags.model ?? null,
      apiKey: apiKeyOf(flags['api-key'], ['KVCTL_API_KEY', 'KVMINI_API_KEY', 'OPENAI_API_KEY']),
      isInsecure: flags.insecure,
      requests: flags.requests,
      prefixTokens: flags['prefix-tokens'],
    })
    this.log(sentence(probe))
    return probe
  }

  async #measure(folder: string, options: CacheProbeOptions): Promise<CacheProbe> {
    const {probeCache} = await import('../../lib/probe/index.js')
    const {openRunDisplay} = await import('../../cli/run-display.js')
    const opened: Awaited<ReturnType<typeof benchParts>>[] = []
    const displays: RunDisplay[] = []
    const open = async (half: ProbeHalf, requests: number): Promise<HalfParts> => {
      displays.pop()?.end()
      this.note(`Measuring ${PROMPTS[half]}`)
      const {isInsecure} = options
      const parts = await benchParts(this.logger, {outputDir: join(folder, half), isInsecure})
      opened.push(parts)
      const display = await openRunDisplay(requests, true)
      displays.push(display)
      return {parts, watcher: display.watcher}
    }
    try {
      return await probeCache(options, open, this.signal)
    } finally {
      displays.pop()?.end()
      for (const parts of opened) await parts.close()
    }
  }
}

function sentence({unique, repeated, ttft_ratio: ratio, ci95, verdict}: CacheProbe): string {
  const ms = (value: number | null): string => (value === null ? 'N/A' : `${value.toFixed(1)} ms`)
  const hits = (value: number | null): string =>
    value === null ? 'no counters' : `${(100 * value).toFixed(1)} % hits`
  const interval = ci95 === null ? '' : ` (95 % ${ci95[0].toFixed(3)}…${ci95[1].toFixed(3)})`
  return [
    {
      works: 'The prefix cache works.',
      counts: 'The server counts hits, but they do not shorten the time to the first token.',
      no_evidence: 'No evidence of a prefix cache.',
    }[verdict],
    `TTFT p50 of unseen prompts ${ms(unique.ttft_p50_ms)}, ${hits(unique.cache_hit_ratio)}; of known beginnings ${ms(repeated.ttft_p50_ms)}, ${hits(repeated.cache_hit_ratio)}.`,
    ratio === null ? 'No ratio could be told.' : `Ratio ${ratio.toFixed(3)}${interval}.`,
  ].join('\n')
}
