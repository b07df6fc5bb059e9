/**
 * The identity of a node on disk: one file of secrets that only its owner can read.
 *
 * It is written once and never changed. Its content is made and read by the core; nothing of it
 * is ever printed, logged or sent.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { readConfigFile } from './config.js'
import { HISTORY_LOST_HINT, SynapticError } from './errors.js'
import {
  exists,
  makePrivateDirectory,
  readBounded,
  SECRET_MODE,
  sizeOf,
  writeAtomic,
  writeNew,
} from './files.js'
import { type Home, notInitialised } from './home.js'
import { DATABASE_FILE } from './host/store.js'
import type { MeshModule } from './wasm.js'

/** The file holds about a hundred bytes. */
const IDENTITY_BYTES_MAX = 4_096
/** A list of thousands of network ids. */
const NETWORKS_BYTES_MAX = 1024 * 1024

/** Secrets, and the public names that follow from them. */
export interface Identity {
  readonly secrets: Uint8Array
  readonly nodeId: string
  readonly peerId: string
}

/** Whether there is an identity. */
export function hasIdentity(home: Home): boolean {
  return exists(home.identityFile)
}

/**
 * Reads the identity of a home.
 *
 * @throws SynapticError `not-initialised`, `bad-identity`, `no-permission`
 */
export function readIdentity(mesh: MeshModule, home: Home): Identity {
  if (!hasIdentity(home)) throw notInitialised(home)
  return inspect(mesh, readBounded(home.identityFile, IDENTITY_BYTES_MAX), home.identityFile)
}

/** Makes an identity that lives only as long as the process. */
export function passingIdentity(mesh: MeshModule): Identity {
  return inspect(mesh, mesh.generateSecrets(), 'a new identity')
}

/** Makes the identity of a home, unless it has one. Says whether it was made now. */
export function createIdentity(mesh: MeshModule, home: Home): boolean {
  if (hasIdentity(home)) return false
  makePrivateDirectory(home.directory)
  return writeNew(home.identityFile, mesh.generateSecrets(), SECRET_MODE)
}

function inspect(mesh: MeshModule, secrets: Uint8Array, where: string): Identity {
  try {
    return { secrets, ...mesh.inspectSecrets(secrets) }
  } catch (thrown) {
    throw new SynapticError(
      'bad-identity',
      `${where} does not hold an identity`,
      'restore it from a backup, or use another home',
      { cause: thrown },
    )
  }
}

/**
 * Which networks an identity has signed in, kept beside it.
 *
 * A node that lost its history would sign its first vertex again, and two first vertices of one
 * author are what the mesh punishes by ending the author. So a missing history is an error where
 * there has been one.
 */
function historyFile(home: Home): string {
  return path.join(home.directory, 'networks.json')
}

/** The networks in which this identity has a history. */
export function knownNetworks(home: Home): string[] {
  if (!exists(historyFile(home))) return []
  try {
    const value: unknown = JSON.parse(readBounded(historyFile(home), NETWORKS_BYTES_MAX).toString())
    return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
  } catch {
    return []
  }
}

/** The network a home belongs to: by its settings, else by what it took part in last. */
export function ownNetwork(home: Home): string | undefined {
  const { network } = readConfigFile(home.configFile)
  return typeof network === 'string' && network !== '' ? network : knownNetworks(home).at(-1)
}

/** Remembers that this identity has a history in a network; call it once the store exists. */
export function noteHistory(home: Home, network: string): void {
  const known = knownNetworks(home)
  if (known.includes(network)) return
  writeAtomic(historyFile(home), `${JSON.stringify([...known, network])}\n`)
}

/** Takes back {@link noteHistory} where the store and its identity are removed as well. */
export function forgetHistory(home: Home, network: string): void {
  const known = knownNetworks(home)
  if (!known.includes(network)) return
  const others = known.filter((entry) => entry !== network)
  if (others.length === 0) fs.rmSync(historyFile(home), { force: true })
  else writeAtomic(historyFile(home), `${JSON.stringify(others)}\n`)
}

/**
 * Refuses to go on where the identity had a history and it is gone.
 *
 * @throws SynapticError `history-lost`
 */
export function requireHistory(home: Home, network: string, directory: string): void {
  const database = path.join(directory, DATABASE_FILE)
  const isThere = [database, `${database}-wal`].some((file) => sizeOf(file) > 0)
  if (!knownNetworks(home).includes(network) || isThere) return
  throw new SynapticError(
    'history-lost',
    `${database} is gone, but this identity has signed in its network before`,
    HISTORY_LOST_HINT,
  )
}
