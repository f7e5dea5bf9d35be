import {Flags, type Interfaces} from '@oclif/core'
import {ConfigurationError} from '../lib/foundation/index.js'
import {FAMILY_NAMES, type FamilyName} from '../server/api-families.js'
import {durationFlag, urlFlag} from './flags.js'

export const HIGHEST_PORT = 65_535

function familyNamed(name: string): FamilyName {
  const family = FAMILY_NAMES.find(one => one === name)
  if (family !== undefined) return family
  throw new ConfigurationError('FAMILY_UNKNOWN', `'${name}' is not a family of routes`, {
    suggestions: [`one of ${FAMILY_NAMES.join(', ')}`],
  })
}

const listenFlag = Flags.custom<{family: FamilyName; port: number}>({
  parse: async text => {
    const [, family = text, digits = ''] = /^([^=]*)=(\d+)$/.exec(text) ?? []
    const port = Number(digits)
    if (digits !== '' && port <= HIGHEST_PORT) return {family: familyNamed(family), port}
    throw new ConfigurationError('USAGE', `--listen takes FAMILY=PORT, not '${text}'`)
  },
  helpValue: 'FAMILY=PORT',
})

/** An origin as browsers write it, or `*` for all. */
export function isOrigin(text: string): boolean {
  return text === '*' || (URL.canParse(text) && new URL(text).origin === text)
}

const originFlag = Flags.custom({
  parse: async text => {
    if (isOrigin(text)) return text
    throw new ConfigurationError(
      'USAGE',
      `--cors-origin takes an origin such as http://localhost:3000, or '*', not '${text}'`,
    )
  },
  helpValue: 'ORIGIN',
})

export const serveFlags = {
  api: Flags.custom<FamilyName[]>({
    parse: async text => text.split(',').map(name => familyNamed(name.trim())),
    helpValue: 'FAMILY[,FAMILY…]',
  })({
    description: `families of routes to serve (default all): ${FAMILY_NAMES.join(', ')}`,
  }),
  host: Flags.string({
    description: 'address to listen on (default 127.0.0.1); any but the loopback needs --token or --no-auth',
  }),
  port: Flags.integer({
    description: 'port for every family (default 6767); 0 takes a free one',
    min: 0,
    max: HIGHEST_PORT,
  }),
  listen: listenFlag({
    description: 'also serve a family on a port of its own; may be repeated',
    multiple: true,
    multipleNonGreedy: true,
  }),
  token: Flags.string({
    description: 'bearer token that every route but /health asks for (also KVCTL_TOKEN)',
    helpValue: 'TOKEN',
  }),
  'no-auth': Flags.boolean({description: 'ask for no token, whatever the address', exclusive: ['token']}),
  'cors-origin': originFlag({
    description: "origin whose pages may call the server, or '*'; may be repeated (default none)",
    multiple: true,
    multipleNonGreedy: true,
  }),
  'engine-url': urlFlag({
    description:
      'engine whose KV cache is shown; may be repeated (also KVCTL_ENGINE_URLS; default: http://localhost:8000 and where GPU processes listen)',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'dcgm-metrics': Flags.boolean({
    description: "also give /metrics under the names of NVIDIA's dcgm-exporter",
  }),
  'bench-url': urlFlag({
    description:
      'server that benchmarks over HTTP may measure; may be repeated (default: only an engine of its own)',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'output-dir': Flags.string({
    description: 'folder of the run directories of benchmarks (default runs; also KVMINI_OUTPUT_DIR)',
    helpValue: 'DIR',
  }),
  'drain-timeout': durationFlag({
    description: 'how long running requests may go on after Ctrl-C (default 1.5s)',
  }),
  'cache-worker': urlFlag({
    description: 'serve the cache family for this LMCache worker instead of one of our own; may be repeated',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'cache-config': Flags.string({
    description: "YAML file of LMCache's settings for the cache worker (also LMCACHE_CONFIG_FILE)",
    helpValue: 'FILE',
  }),
  'allow-path': Flags.string({
    description: 'folder below which load-fs-chunks may read, beside the working directory; may be repeated',
    helpValue: 'DIR',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'cache-socket': Flags.string({
    description: 'also serve the cache family on this Unix socket',
    helpValue: 'PATH',
  }),
  config: Flags.string({
    description:
      "YAML file of these options, with _ for - and lists where a flag may be repeated, and of the router's models, read again on SIGHUP and when it changes",
    helpValue: 'FILE',
  }),
}

export type ServeFlags = Interfaces.InferredFlags<typeof serveFlags>
