/** `init`: an identity, settings, and nothing else: no network, no questions. */
import * as path from 'node:path'
import type { Balance } from '../arguments.js'
import { Config, configSchema, type Flags, readConfigFile, updateConfigFile } from '../config.js'
import type { Context } from '../context.js'
import { SynapticError, usageError } from '../errors.js'
import { exists, makePrivateDirectory, writeAtomic } from '../files.js'
import {
  hasFinality,
  isMadeOf,
  keepGenesis,
  keepInvite,
  type MadeNetwork,
  readGenesis,
  requireInviteTo,
} from '../genesis.js'
import { given } from '../given.js'
import { commandFor, genesisFile, type Home, homeAt, PROJECT_DIRECTORY, userHome } from '../home.js'
import { createIdentity, hasIdentity, knownNetworks, readIdentity } from '../identity.js'
import { decodeJoinLink, type JoinLink } from '../link.js'
import { Lock } from '../lock.js'
import { type Paint, shortId, toJson } from '../output.js'
import { type CommitteeMember, type ConsensusEngine, loadMesh, type MeshModule } from '../wasm.js'

/** Options of `init`. */
export interface InitOptions {
  readonly user?: boolean
  readonly name?: string
  readonly network?: string
  readonly join?: string
  readonly port?: number
  /** Make a network with finality, in which these members decide first. */
  readonly committee?: readonly CommitteeMember[]
  /** How it decides: by quorums unless given. */
  readonly consensus?: ConsensusEngine
  /** Make a network that only invited nodes may enter; this node may invite. */
  readonly permissioned?: boolean
  /** Others that may invite in it. */
  readonly inviter?: readonly string[]
  /** Others that need no invite in it. */
  readonly allow?: readonly string[]
  /** What nodes begin with in it. */
  readonly balance?: readonly Balance[]
  /** Move the home to another network although it has a history in its own. */
  readonly force?: boolean
}

/** Makes what is missing and leaves what is there. */
export async function run(context: Context, options: InitOptions): Promise<void> {
  const home = homeToMake(context, options)
  const mesh = await loadMesh()
  const made = initialise(mesh, home, context, options)
  if (made.left !== null) context.output.note(leftText(made.left))
  context.output.result({ home: home.directory, ...made }, (paint) =>
    [madeText(home, made, paint), ...adviceFor(options)].join('\n'),
  )
}

/** What it means that a home has left a network. */
export function leftText({ network, finality }: LeftNetwork): string {
  const stays = finality ? ': so do the credits and names of this node there, out of reach' : ''
  return `this home was in network ${shortId(network)}, whose history stays in it${stays}; \`synaptic-mesh init --force --network ${network}\` goes back`
}

function adviceFor({ committee, permissioned }: InitOptions): string[] {
  if (permissioned === true) return [PERMISSIONED]
  return committee === undefined ? [] : [FOUNDED]
}

const PERMISSIONED =
  'Nobody else may enter without an invite: once it runs, `synaptic-mesh invite create` makes a join link with one'
const FOUNDED =
  'The other members take it over with the link that `start` prints: synaptic-mesh init --join LINK'

function madeText(
  home: Home,
  { nodeId, network, created, changed }: Initialised,
  paint: Paint,
): string {
  const news = [
    ...created.map((file) => `  + ${file}`),
    ...changed.map((key) => `  changed ${key} in ${home.configFile}`),
  ]
  return [
    `${paint('bold', 'node')}     ${nodeId}`,
    `${paint('bold', 'network')}  ${network}`,
    `${paint('bold', 'home')}     ${home.directory}`,
    ...(news.length === 0 ? ['everything was there already'] : news),
    '',
    `next: ${paint('cyan', commandFor('start', home))}`,
  ].join('\n')
}

function homeToMake({ home, around }: Context, { user }: InitOptions): Home {
  if (user === true) return userHome(around)
  if (home.origin === 'flag' || home.origin === 'env') return home
  return homeAt(path.join(around.cwd, PROJECT_DIRECTORY), 'project')
}

/** What `initialise` made, and for whom. */
export interface Initialised {
  readonly nodeId: string
  readonly network: string
  /** Files that were missing. */
  readonly created: string[]
  /** Settings that had another value before. */
  readonly changed: string[]
  /** The network with a history here that the home has left; null if it has left none. */
  readonly left: LeftNetwork | null
}

/** A network that a home belonged to. */
export interface LeftNetwork {
  readonly network: string
  /** Whether it has credits and names: they stay in it. */
  readonly finality: boolean
}

/** Makes identity and settings of a home, as far as they are missing. */
export function initialise(
  mesh: MeshModule,
  home: Home,
  around: Pick<Context, 'around'>,
  options: InitOptions,
): Initialised {
  requireOneNetwork(options)
  const link = options.join === undefined ? undefined : decodeJoinLink(options.join)
  makePrivateDirectory(home.directory)
  // Several at once would each make a network, and one of them would be left.
  const lock = Lock.wait(path.join(home.directory, 'init.lock'))
  try {
    return fill(mesh, home, around, options, link)
  } finally {
    lock.release()
  }
}

function fill(
  mesh: MeshModule,
  home: Home,
  { around }: Pick<Context, 'around'>,
  options: InitOptions,
  link: JoinLink | undefined,
): Initialised {
  const created: string[] = []
  if (options.force !== true) requireIdentity(home)
  // Who may invite is part of what the network begins with, and this node may.
  if (options.permissioned === true && createIdentity(mesh, home)) created.push(home.identityFile)
  const founded = foundedBy(mesh, home, options)
  const flags: Flags = {
    network: options.network ?? link?.network ?? founded?.network,
    name: options.name ?? link?.meshName,
    'listen.port': options.port,
    bootstrap: link === undefined ? undefined : [...link.addresses],
  }
  const config = Config.load(home, around, flags)
  const network = config.get('network') || mesh.generateNetworkId()
  const before = readConfigFile(home.configFile)
  if (options.force !== true) requireSameNetwork(home, before.network, network)
  makePrivateDirectory(path.dirname(home.configFile))
  const genesis = founded?.genesis ?? link?.genesis
  if (link?.invite !== undefined) requireInviteTo(mesh, network, genesis, link.invite)
  if (genesis !== undefined && keepGenesis(mesh, home, network, genesis)) {
    created.push(genesisFile(home, network))
  }
  if (link?.invite !== undefined) keepInvite(mesh, home, network, genesis, link.invite)
  if (createIdentity(mesh, home)) created.push(home.identityFile)
  const { nodeId } = readIdentity(mesh, home)
  const schemaFile = path.join(path.dirname(home.configFile), 'config.schema.json')
  if (!exists(schemaFile)) {
    writeAtomic(schemaFile, configSchema())
    created.push(schemaFile)
  }
  const changes = given(flags)
  const isNew = !exists(home.configFile)
  const after = { ...changes, network }
  if (isNew || Object.keys(changes).length > 0 || config.resolve('network').origin === 'default') {
    updateConfigFile(home.configFile, after)
  }
  if (isNew) created.push(home.configFile)
  created.push(...ignoreInGit(home))
  const changed = isNew ? [] : changedKeys(before, readConfigFile(home.configFile))
  return { nodeId, network, created, changed, left: leftBy(mesh, home, before.network, network) }
}

function leftBy(mesh: MeshModule, home: Home, before: unknown, now: string): LeftNetwork | null {
  if (typeof before !== 'string' || before === now) return null
  if (!knownNetworks(home).includes(before)) return null
  return { network: before, finality: hasFinality(mesh, home, before) }
}

function requireOneNetwork(options: InitOptions): void {
  const { committee, consensus, balance, network, join, permissioned, inviter, allow } = options
  if (permissioned !== true && (inviter !== undefined || allow !== undefined)) {
    throw usageError('--inviter and --allow need --permissioned', 'an open network lets all in')
  }
  if (permissioned === true && (network !== undefined || join !== undefined)) {
    throw usageError('--permissioned makes a new network', 'leave out --network and --join')
  }
  if (committee === undefined && consensus !== undefined) {
    throw usageError('--consensus needs --committee', 'it says how these members decide')
  }
  if (consensus === 'qr-avalanche' && balance !== undefined) {
    throw usageError(
      '--balance needs --consensus quorum',
      'decisions by qr-avalanche are probable, so such a network has no credits',
    )
  }
  if (committee === undefined && balance !== undefined) {
    throw usageError('--balance needs --committee', 'only a network with a committee has credits')
  }
  if (committee !== undefined && (network !== undefined || join !== undefined)) {
    throw usageError('--committee makes a new network', 'leave out --network and --join')
  }
}

/** The network that is founded here: the one this home was given by the same command before, or a new one. */
function foundedBy(
  mesh: MeshModule,
  home: Home,
  { committee, consensus, balance, permissioned, inviter = [], allow }: InitOptions,
): MadeNetwork | undefined {
  if (committee === undefined && permissioned !== true) return undefined
  const inviters = permissioned === true ? [readIdentity(mesh, home).nodeId, ...inviter] : undefined
  const wanted = given({ committee, consensus, balances: balance, inviters, allowed: allow })
  const { network } = readConfigFile(home.configFile)
  const own = typeof network === 'string' ? network : ''
  const genesis = readGenesis(home, own)
  if (genesis !== undefined && isMadeOf(mesh, genesis, wanted)) return { network: own, genesis }
  return mesh.makeGenesis(wanted)
}

function changedKeys(before: object, after: object): string[] {
  const old = new Map<string, unknown>(Object.entries(before))
  return Object.entries(after)
    .filter(([key, value]) => toJson(value) !== toJson(old.get(key)))
    .map(([key]) => key)
}

/** A home is moved to another network on purpose only: its runs stay behind in the old one. */
function requireSameNetwork(home: Home, own: unknown, asked: string): void {
  if (typeof own !== 'string' || own === '' || own === asked) return
  if (!knownNetworks(home).includes(own)) return
  throw new SynapticError(
    'wrong-network',
    `${home.directory} has a history in network ${own}`,
    'choose another home with --home, or add --force to move this one (its history is kept)',
  )
}

/** What an identity has cannot be had by another: credits, names, a seat in a committee. */
function requireIdentity(home: Home): void {
  if (hasIdentity(home) || knownNetworks(home).length === 0) return
  throw new SynapticError(
    'identity-lost',
    `${home.identityFile} is gone, and this home has a history that was signed with it`,
    'put the file back, or add --force for a new identity: what the old one has is out of reach then',
  )
}

/** Secrets in a directory that somebody chose do not belong into the repository around it. */
function ignoreInGit(home: Home): string[] {
  const file = path.join(home.directory, '.gitignore')
  if (home.origin === 'user' || exists(file)) return []
  writeAtomic(file, '*\n')
  return [file]
}
