import {Flags, type Interfaces} from '@oclif/core'
import {ConfigurationError} from '../lib/foundation/index.js'
import {FAMILY_NAMES, type FamilyName} from '../server/api-families.js'
import {durationFlag} from './flags.js'
import {checkMayListen} from './may-listen.js'

const HIGHEST_PORT = 65_535

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

const originFlag = Flags.custom({
  parse: async text => {
    if (text === '*' || (URL.canParse(text) && new URL(text).origin === text)) return text
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
    description: 'address to listen on; any but the loopback needs --token or --no-auth',
    default: '127.0.0.1',
  }),
  port: Flags.integer({
    description: 'port for every family; 0 takes a free one',
    default: 6767,
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
  'drain-timeout': durationFlag({
    description: 'how long running requests may go on after Ctrl-C',
    default: 1500,
    defaultHelp: async () => '1.5s',
  }),
}

type Parsed = Interfaces.InferredFlags<typeof serveFlags>

/** The token that the server asks for; null asks for none. */
export function tokenFor(flags: Parsed, environment: NodeJS.ProcessEnv): string | null {
  const fromEnvironment = environment['KVCTL_TOKEN'] || environment['KVMINI_TOKEN'] || null
  const token = flags['no-auth'] ? null : (flags.token ?? fromEnvironment)
  if (token === '') throw new ConfigurationError('USAGE', '--token must not be empty')
  checkMayListen(flags.host, token !== null, flags['no-auth'], [
    '--token TOKEN, or set KVCTL_TOKEN',
    '--no-auth if that is what you want',
  ])
  return token
}
