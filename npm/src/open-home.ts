/**
 * What a node finds in its home: identity, disk, what its network began with. Or a passing identity
 * where it has none.
 */
import * as path from 'node:path'
import { updateConfigFile } from './config.js'
import { type Problem, SynapticError } from './errors.js'
import { makePrivateDirectory } from './files.js'
import { keepGenesis, keepInvite, readGenesis, readInvite, requireInviteTo } from './genesis.js'
import { genesisFile, type Home, homeAt, networkDirectory } from './home.js'
import type { Rows, RowsMemory } from './host/runs.js'
import { SqliteStore } from './host/store.js'
import {
  createIdentity,
  type Identity,
  noteHistory,
  ownNetwork,
  passingIdentity,
  readIdentity,
  requireHistory,
} from './identity.js'
import type { InvitesMemory, MadeInvite } from './invites.js'
import { Lock } from './lock.js'
import type { NodeOptions } from './node-options.js'
import type { PendingMemory } from './pending.js'
import type { MeshModule } from './wasm.js'

/** Name under which the store keeps the files of this node's rows. */
const REMEMBERED_ROWS = 'rows'
/** Name under which it keeps a second copy of what the network began with, in base64. */
export const REMEMBERED_GENESIS = 'genesis'
/** Name under which it keeps which invites this node made. */
const REMEMBERED_INVITES = 'invites'
/** Name under which it keeps what was paid and is not final. */
const REMEMBERED_PENDING = 'pending'

/** What a node has of its own. */
export interface OpenHome {
  readonly identity: Identity
  readonly network: string
  readonly genesis: Uint8Array | undefined
  readonly invite: Uint8Array | undefined
  readonly store: SqliteStore | undefined
  readonly lock: Lock | undefined
  /** What was found wrong and put right. */
  readonly mended: readonly Problem[]
}

/** Identity and disk. A history that is forgotten takes a passing identity: see `noteHistory`. */
export function openHome(
  mesh: MeshModule,
  { home: place, storage, genesis, invite }: NodeOptions,
  asked: string | undefined,
  undo: (() => void | Promise<void>)[],
): OpenHome {
  const passing = () => ({
    identity: passingIdentity(mesh),
    store: undefined,
    genesis,
    invite,
    mended: [],
  })
  if (place === undefined) {
    if (storage === 'sqlite') {
      throw new SynapticError('usage', 'storage "sqlite" needs a home', 'name a directory as home')
    }
    return { ...passing(), network: asked ?? mesh.generateNetworkId(), lock: undefined }
  }
  const home = typeof place === 'string' ? homeAt(place, 'flag') : place
  createIdentity(mesh, home)
  const lock = Lock.acquire(home.lockFile)
  undo.push(() => lock.release())
  const own = ownNetwork(home)
  const network = asked ?? own ?? mesh.generateNetworkId()
  if (invite !== undefined) {
    requireInviteTo(mesh, network, genesis ?? readGenesis(home, network), invite)
  }
  if (genesis !== undefined) keepGenesis(mesh, home, network, genesis)
  const kept = readGenesis(home, network)
  if (invite !== undefined) keepInvite(mesh, home, network, kept, invite)
  if (storage === 'memory') {
    const { invite: invited, wrong } = readInvite(mesh, home, network, kept)
    const mended = wrong === undefined ? [] : [wrong]
    return { ...passing(), genesis: kept, invite: invited, network, lock, mended }
  }
  const identity = readIdentity(mesh, home)
  const directory = networkDirectory(home, network)
  requireHistory(home, network, directory)
  const store = SqliteStore.open(directory)
  undo.push(() => store.close())
  noteHistory(home, network)
  if (own === undefined) settleIn(home, network)
  const found = kept ?? genesisIn(store)
  const isLost = kept === undefined && found !== undefined
  if (isLost) keepGenesis(mesh, home, network, found)
  if (kept !== undefined) keepIn(store, kept)
  const { invite: invited, wrong } = readInvite(mesh, home, network, found)
  const mended = [
    ...(isLost ? [genesisMended(genesisFile(home, network))] : []),
    ...(wrong === undefined ? [] : [wrong]),
  ]
  return { identity, network, genesis: found, invite: invited, store, lock, mended }
}

/** What the network began with, as the store has it: a network that had finality keeps it. */
function genesisIn(store: SqliteStore): Uint8Array | undefined {
  const text = store.recall(REMEMBERED_GENESIS)
  return text === undefined ? undefined : new Uint8Array(Buffer.from(text, 'base64'))
}

function keepIn(store: SqliteStore, genesis: Uint8Array): void {
  const text = Buffer.from(genesis).toString('base64')
  if (store.recall(REMEMBERED_GENESIS) !== text) store.remember(REMEMBERED_GENESIS, text)
}

function genesisMended(file: string): Problem {
  return {
    code: 'genesis-mended',
    message: `${file} was gone; it was made again from the history`,
    hint: 'without it nothing would be final for this node',
  }
}

/** Makes a network the one that the next start finds, here and on the command line. */
function settleIn(home: Home, network: string): void {
  makePrivateDirectory(path.dirname(home.configFile))
  updateConfigFile(home.configFile, { network })
}

/** Where invites that this node made are remembered, without their secrets. */
export function invitesMemory(store: SqliteStore | undefined): InvitesMemory {
  return {
    recall: () => {
      const text = store?.recall(REMEMBERED_INVITES)
      return text === undefined ? [] : (JSON.parse(text) as MadeInvite[])
    },
    remember: (made) => store?.remember(REMEMBERED_INVITES, JSON.stringify(made)),
  }
}

/** Where payments that are not final are remembered: in the store, if there is one. */
export function pendingMemory(store: SqliteStore | undefined): PendingMemory | undefined {
  if (store === undefined) return undefined
  return {
    recall: () => store.recall(REMEMBERED_PENDING),
    remember: (text) => store.remember(REMEMBERED_PENDING, text),
  }
}

/** Where the files of this node's rows are remembered: in its store, if it has one. */
export function rowsMemory(store: SqliteStore | undefined): RowsMemory {
  return {
    recall: () => {
      const text = store?.recall(REMEMBERED_ROWS)
      return text === undefined ? {} : (JSON.parse(text) as Record<string, Rows>)
    },
    remember: (rows) => store?.remember(REMEMBERED_ROWS, JSON.stringify(rows)),
  }
}
