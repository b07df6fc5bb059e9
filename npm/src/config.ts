/**
 * Settings: one schema, five sources.
 *
 * Precedence, strongest first: command-line flag, environment (SYNAPTIC_*), the home's own
 * config.json, the user's config.json, the default. `config list --show-origin` prints which one
 * won. Unknown keys and wrong types are errors, so that a typing mistake is never silence.
 */
import * as path from 'node:path'
import { SynapticError, usageError } from './errors.js'
import { exists, makePrivateDirectory, readBounded, writeAtomic } from './files.js'
import type { Home, Surroundings } from './home.js'
import { userConfigFile } from './home.js'
import { multiaddrFault } from './multiaddr.js'

/** Every setting with its resolved value. */
export interface Settings {
  /** Network the node belongs to; empty until `init` or `join` chose one. */
  network: string
  /** Name shown to other members. */
  name: string
  /** Address the mesh listener binds; anything but loopback opens the node to the network. */
  'listen.host': string
  /** Port of the mesh listener; 0 takes any free one. */
  'listen.port': number
  /** Port of dashboard and control API, always on loopback; 0 takes any free one. */
  'dashboard.port': number
  /** `sqlite` keeps the history on disk; `memory` forgets it when the node stops. */
  storage: 'sqlite' | 'memory'
  /** `recent` drops old vertices that are settled, `brief` more of them; `all` keeps everything. */
  history: 'recent' | 'brief' | 'all'
  /** `refuse` takes peers with the hybrid channel only; `allow` also those of other programs. */
  classical: 'refuse' | 'allow'
  /** `on` goes on directly with whom it meets through a relay; `off` stays with the relay. */
  webrtc: 'on' | 'off'
  /** `on` lets others reach each other through the node, where it listens; `off` refuses that. */
  relay: 'on' | 'off'
  /** `on` passes anonymous questions of others on, `log` also tells all about each, `off` does not. */
  relaying: 'on' | 'log' | 'off'
  /** `on` finds members on the local network, where the node listens beyond loopback. */
  mdns: 'on' | 'off'
  /** Addresses of other members to call at start. */
  bootstrap: string[]
  /** Addresses at which others call the node, besides those that it listens on. */
  announce: string[]
  /** Threads that train; 0 leaves one core for the rest. */
  'training.threads': number
}

/** A setting's name. */
export type SettingKey = keyof Settings

/** Where a value came from. */
export type Origin = 'flag' | 'env' | 'project' | 'user' | 'default'

/** A value and its origin. */
export interface Resolved<K extends SettingKey = SettingKey> {
  readonly key: K
  readonly value: Settings[K]
  readonly origin: Origin
}

interface Setting {
  readonly env: string
  readonly fallback: Settings[SettingKey]
  readonly description: string
  readonly schema: Readonly<Record<string, unknown>>
  /** The typed value, or a sentence about what it should be. */
  check(value: unknown): { value: Settings[SettingKey] } | { expected: string }
}

/** Largest settings file that is read; ours are a few hundred bytes. */
export const CONFIG_BYTES_MAX = 1024 * 1024
/** As the core's limit on display names. */
const NAME_LENGTH_MAX = 64
/** More bootstrap addresses than a node will ever call. */
const BOOTSTRAP_MAX = 64
/** More training threads than machines this runs on have cores. */
const THREADS_MAX = 64
/** Highest TCP port. */
const PORT_MAX = 65_535

function integer(max: number): Setting['check'] {
  return (value) => {
    const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
    return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= max
      ? { value: number }
      : { expected: `a whole number from 0 to ${max}` }
  }
}

function text(max: number): Setting['check'] {
  return (value) =>
    typeof value === 'string' && value.length <= max && !/[\p{Cc}]/u.test(value)
      ? { value }
      : { expected: `text of at most ${max} characters` }
}

function addresses(value: unknown): { value: string[] } | { expected: string } {
  const list = typeof value === 'string' ? value.split(',').filter((part) => part !== '') : value
  return Array.isArray(list) &&
    list.length <= BOOTSTRAP_MAX &&
    list.every(
      (entry): entry is string => typeof entry === 'string' && multiaddrFault(entry) === '',
    )
    ? { value: list }
    : { expected: `at most ${BOOTSTRAP_MAX} addresses such as /ip4/127.0.0.1/tcp/7411/ws` }
}

function networkId(value: unknown): { value: string } | { expected: string } {
  return typeof value === 'string' && /^([a-z2-7]{52})?$/.test(value)
    ? { value }
    : { expected: 'a network id: 52 characters a-z and 2-7' }
}

/** One of these words: schema and check of a setting. */
function oneOf<
  Word extends Settings[
    | 'storage'
    | 'history'
    | 'classical'
    | 'webrtc'
    | 'relay'
    | 'relaying'
    | 'mdns'],
>(...words: readonly Word[]): Pick<Setting, 'schema' | 'check'> {
  return {
    schema: { enum: words },
    check: (value) => {
      const word = words.find((known) => known === value)
      return word === undefined ? { expected: words.join(' or ') } : { value: word }
    },
  }
}

const PORT_SCHEMA = { type: 'integer', minimum: 0, maximum: PORT_MAX }

/** Every setting, in the order in which they are listed. */
export const SETTINGS: Readonly<Record<SettingKey, Setting>> = {
  network: {
    env: 'SYNAPTIC_NETWORK',
    fallback: '',
    description: 'network the node belongs to',
    schema: { type: 'string', pattern: '^([a-z2-7]{52})?$' },
    check: networkId,
  },
  name: {
    env: 'SYNAPTIC_NAME',
    fallback: '',
    description: 'name shown to other members',
    schema: { type: 'string', maxLength: NAME_LENGTH_MAX },
    check: text(NAME_LENGTH_MAX),
  },
  'listen.host': {
    env: 'SYNAPTIC_HOST',
    fallback: '127.0.0.1',
    description: 'address the mesh listener binds',
    schema: { type: 'string' },
    check: text(255),
  },
  'listen.port': {
    env: 'SYNAPTIC_PORT',
    fallback: 7411,
    description: 'port of the mesh listener, 0 for any free one',
    schema: PORT_SCHEMA,
    check: integer(PORT_MAX),
  },
  'dashboard.port': {
    env: 'SYNAPTIC_DASHBOARD_PORT',
    fallback: 7410,
    description: 'port of dashboard and control API (loopback only), 0 for any free one',
    schema: PORT_SCHEMA,
    check: integer(PORT_MAX),
  },
  storage: {
    env: 'SYNAPTIC_STORAGE',
    fallback: 'sqlite',
    description: 'sqlite keeps the history on disk, memory forgets it',
    ...oneOf('sqlite', 'memory'),
  },
  history: {
    env: 'SYNAPTIC_HISTORY',
    fallback: 'recent',
    description: 'recent drops old vertices that are settled, brief more of them, all keeps them',
    ...oneOf('recent', 'brief', 'all'),
  },
  classical: {
    env: 'SYNAPTIC_CLASSICAL',
    fallback: 'refuse',
    description: 'refuse takes peers with the hybrid channel only, allow also others',
    ...oneOf('refuse', 'allow'),
  },
  webrtc: {
    env: 'SYNAPTIC_WEBRTC',
    fallback: 'on',
    description: 'on goes on directly, by WebRTC, with whom it meets through a relay, off does not',
    ...oneOf('on', 'off'),
  },
  relay: {
    env: 'SYNAPTIC_RELAY',
    fallback: 'on',
    description: 'on lets members that cannot call each other meet through the node, off does not',
    ...oneOf('on', 'off'),
  },
  relaying: {
    env: 'SYNAPTIC_RELAYING',
    fallback: 'on',
    description:
      'on relays anonymous questions of others, log also tells all of each, off does not',
    ...oneOf('on', 'log', 'off'),
  },
  mdns: {
    env: 'SYNAPTIC_MDNS',
    fallback: 'on',
    description: 'on finds members on the local network, where it listens beyond loopback',
    ...oneOf('on', 'off'),
  },
  bootstrap: {
    env: 'SYNAPTIC_BOOTSTRAP',
    fallback: [],
    description: 'addresses of members to call at start',
    schema: { type: 'array', items: { type: 'string' }, maxItems: BOOTSTRAP_MAX },
    check: addresses,
  },
  announce: {
    env: 'SYNAPTIC_ANNOUNCE',
    fallback: [],
    description: 'addresses at which others call this node: of a router, or of a proxy before it',
    schema: { type: 'array', items: { type: 'string' }, maxItems: BOOTSTRAP_MAX },
    check: addresses,
  },
  'training.threads': {
    env: 'SYNAPTIC_TRAINING_THREADS',
    fallback: 0,
    description: 'threads that train, 0 to leave one core free',
    schema: { type: 'integer', minimum: 0, maximum: THREADS_MAX },
    check: integer(THREADS_MAX),
  },
}

/** The options of the command line that stand for settings. */
const FLAGS: Readonly<Record<SettingKey, string>> = {
  network: '--network',
  name: '--name',
  'listen.host': '--host',
  'listen.port': '--port',
  'dashboard.port': '--dashboard-port',
  storage: '--storage',
  history: 'the setting history',
  classical: 'the setting classical',
  webrtc: 'the setting webrtc',
  relay: 'the setting relay',
  relaying: 'the setting relaying',
  mdns: 'the setting mdns',
  bootstrap: 'the list of addresses',
  announce: '--announce',
  'training.threads': '--threads',
}

/** Names of all settings. */
export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[]

/** Whether a text names a setting. */
export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key)
}

/** The error for a name that is no setting. */
export function unknownSetting(key: string, where: string): SynapticError {
  return new SynapticError(
    'usage',
    `${where}: there is no setting "${key}"`,
    `the settings are: ${SETTING_KEYS.join(', ')}`,
  )
}

/** A checked value for `key`. */
export function checkSetting<K extends SettingKey>(
  key: K,
  value: unknown,
  where: string,
): Settings[K] {
  const result = SETTINGS[key].check(value)
  if ('value' in result) return result.value as Settings[K]
  if (where === 'flag' || where === 'config set') {
    const name = where === 'flag' ? FLAGS[key] : key
    throw usageError(`${name} must be ${result.expected}, not ${JSON.stringify(value)}`)
  }
  throw new SynapticError(
    'bad-config',
    `${where}: ${key} must be ${result.expected}, not ${JSON.stringify(value)}`,
    `correct it there, or run \`synaptic-mesh config set ${key} VALUE\``,
  )
}

type Layer = Partial<Record<SettingKey, unknown>>

/** The settings of one file; an absent file is an empty layer. */
export function readConfigFile(file: string): Layer {
  if (!exists(file)) return {}
  let value: unknown
  try {
    value = JSON.parse(readBounded(file, CONFIG_BYTES_MAX).toString('utf8'))
  } catch (thrown) {
    if (thrown instanceof SynapticError) throw thrown
    const detail = thrown instanceof Error ? thrown.message : String(thrown)
    throw new SynapticError('bad-config', `${file} is not JSON: ${detail}`, 'correct the file')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SynapticError('bad-config', `${file} must hold a JSON object`, 'correct the file')
  }
  const layer: Layer = {}
  for (const [key, entry] of Object.entries(value)) {
    if (key === '$schema') continue
    if (!isSettingKey(key)) throw unknownSetting(key, file)
    layer[key] = checkSetting(key, entry, file)
  }
  return layer
}

function environmentLayer(env: Surroundings['env']): Layer {
  const layer: Layer = {}
  for (const key of SETTING_KEYS) {
    const name = SETTINGS[key].env
    const value = env[name]
    if (value !== undefined && value !== '') layer[key] = checkSetting(key, value, name)
  }
  return layer
}

/** Settings given on the command line; undefined means not given. */
export type Flags = { readonly [K in SettingKey]?: Settings[K] | undefined }

/** All settings of a home, each with its origin. */
export class Config {
  readonly #resolved: ReadonlyMap<SettingKey, Resolved>

  private constructor(resolved: ReadonlyMap<SettingKey, Resolved>) {
    this.#resolved = resolved
  }

  /** Reads every source and lets the strongest win. */
  static load(home: Home, around: Surroundings, flags: Flags = {}): Config {
    const userFile = userConfigFile(around)
    const layers: [Origin, Layer][] = [
      ['flag', flags],
      ['env', environmentLayer(around.env)],
    ]
    if (home.configFile !== userFile) layers.push(['project', readConfigFile(home.configFile)])
    layers.push(['user', readConfigFile(userFile)])
    return new Config(
      new Map(
        SETTING_KEYS.map((key) => [key, strongest(key, layers)] satisfies [string, Resolved]),
      ),
    )
  }

  /** The value of a setting. */
  get<K extends SettingKey>(key: K): Settings[K] {
    return this.resolve(key).value
  }

  /** The value of a setting and where it came from. */
  resolve<K extends SettingKey>(key: K): Resolved<K> {
    return this.#resolved.get(key) as Resolved<K>
  }

  /** Every setting, in listing order. */
  list(): Resolved[] {
    return SETTING_KEYS.map((key) => this.resolve(key))
  }
}

function strongest(key: SettingKey, layers: readonly [Origin, Layer][]): Resolved {
  for (const [origin, layer] of layers) {
    const value = layer[key]
    if (value !== undefined) return { key, value: checkSetting(key, value, origin), origin }
  }
  return { key, value: SETTINGS[key].fallback, origin: 'default' }
}

/** Changes settings in a file, keeping the others; makes it, and its directory, if need be. */
export function updateConfigFile(file: string, changes: Layer): void {
  makePrivateDirectory(path.dirname(file))
  const merged: Layer = { ...readConfigFile(file), ...changes }
  writeAtomic(file, `${JSON.stringify({ $schema: './config.schema.json', ...merged }, null, 2)}\n`)
}

/** The JSON Schema that `init` puts beside the settings, so that editors can complete them. */
export function configSchema(): string {
  const properties: Record<string, unknown> = { $schema: { type: 'string' } }
  for (const key of SETTING_KEYS) {
    const { description, fallback, schema } = SETTINGS[key]
    properties[key] = { description, default: fallback, ...schema }
  }
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Settings of synaptic-mesh',
    type: 'object',
    additionalProperties: false,
    properties,
  }
  return `${JSON.stringify(document, null, 2)}\n`
}
