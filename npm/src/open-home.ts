/**
 * What a node finds in its home: identity, disk, what its network began with. Or a passing identity
 * where it has none.
 */
import * as path from 'node:path'
import { updateConfigFile } from './config.js'
import { SynapticError } from './errors.js'
import { makePrivateDirectory } from './files.js'
import { keepGenesis, readGenesis } from './genesis.js'
import { type Home, homeAt, networkDirectory } from './home.js'
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
import { Lock } from './lock.js'
import type { NodeOptions } from './node.js'
import type { MeshModule } from './wasm.js'

/** Name under which the store keeps the files of this node's rows. */
const REMEMBERED_ROWS = 'rows'

/** What a node has of its own. */
export interface OpenHome {
  readonly identity: Identity
  readonly network: string
  readonly genesis: Uint8Array | undefined
  readonly store: SqliteStore | undefined
  readonly lock: Lock | undefined
}

/** Identity and disk. A history that is forgotten takes a passing identity: see `noteHistory`. */
export function openHome(
  mesh: MeshModule,
  { home: place, storage, genesis }: NodeOptions,
  asked: string | undefined,
  undo: (() => void | Promise<void>)[],
): OpenHome {
  const passing = () => ({ identity: passingIdentity(mesh), store: undefined, genesis })
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
  if (genesis !== undefined) keepGenesis(mesh, home, network, genesis)
  const kept = readGenesis(home, network)
  if (storage === 'memory') return { ...passing(), genesis: kept, network, lock }
  const identity = readIdentity(mesh, home)
  const directory = networkDirectory(home, network)
  requireHistory(home, network, directory)
  const store = SqliteStore.open(directory)
  undo.push(() => store.close())
  noteHistory(home, network)
  if (own === undefined) settleIn(home, network)
  return { identity, network, genesis: kept, store, lock }
}

/** Makes a network the one that the next start finds, here and on the command line. */
function settleIn(home: Home, network: string): void {
  makePrivateDirectory(path.dirname(home.configFile))
  updateConfigFile(home.configFile, { network })
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
