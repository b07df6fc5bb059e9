/**
 * What a network with finality began with, on disk: beside the history of the network, so that a
 * member which joined by a link has it for good.
 *
 * The id of the network is the hash of these bytes. The core checks that; nothing here does. Beside
 * it lies the invite that a permissioned network was joined with.
 */
import * as path from 'node:path'
import { SynapticError } from './errors.js'
import { exists, makePrivateDirectory, readBounded, SECRET_MODE, writeAtomic } from './files.js'
import { genesisFile, type Home, inviteFile } from './home.js'
import type { CommitteeMember, GenesisOptions, MeshModule } from './wasm.js'

/** As the core's bound. */
const GENESIS_BYTES_MAX = 16_384
/** As the core's bound. */
const INVITE_BYTES_MAX = 6_144

/** A new network and what it begins with. */
export interface MadeNetwork {
  readonly network: string
  readonly genesis: Uint8Array
}

/** The genesis that a home has for a network. */
export function readGenesis(home: Home, network: string): Uint8Array | undefined {
  const file = genesisFile(home, network)
  if (network === '' || !exists(file)) return undefined
  return new Uint8Array(readBounded(file, GENESIS_BYTES_MAX))
}

/**
 * Keeps the genesis of a network; whether it was not there before.
 *
 * @throws SynapticError `genesis-malformed`, `genesis-foreign`
 */
export function keepGenesis(
  mesh: MeshModule,
  home: Home,
  network: string,
  genesis: Uint8Array,
): boolean {
  requireGenesisOf(mesh, network, genesis)
  const file = genesisFile(home, network)
  if (exists(file)) return false
  makePrivateDirectory(path.dirname(file))
  writeAtomic(file, genesis)
  return true
}

/** Keeps the newest invite to a network. */
export function keepInvite(home: Home, network: string, invite: Uint8Array): void {
  const file = inviteFile(home, network)
  makePrivateDirectory(path.dirname(file))
  writeAtomic(file, invite, SECRET_MODE)
}

/** The invite that a home has to a network. */
export function readInvite(home: Home, network: string): Uint8Array | undefined {
  const file = inviteFile(home, network)
  if (network === '' || !exists(file)) return undefined
  return new Uint8Array(readBounded(file, INVITE_BYTES_MAX))
}

/** Whether anything is ever final in a network, as far as this home knows. */
export function hasFinality(mesh: MeshModule, home: Home, network: string): boolean {
  const genesis = readGenesis(home, network)
  return genesis !== undefined && mesh.inspectGenesis(genesis).committee.length > 0
}

/** Refuses the genesis of another network before anything is written. */
function requireGenesisOf(mesh: MeshModule, network: string, genesis: Uint8Array): void {
  const found = mesh.inspectGenesis(genesis).network
  if (found === network) return
  throw new SynapticError(
    'genesis-foreign',
    `the genesis belongs to network ${found}, not to ${network}`,
    'take a current join link of the network',
  )
}

/** Whether a genesis is what these options would make, but for its random part. */
export function isMadeOf(mesh: MeshModule, genesis: Uint8Array, wanted: GenesisOptions): boolean {
  const { engine, committee, balances, inviters, allowed } = mesh.inspectGenesis(genesis)
  const seats = (members: readonly CommitteeMember[]): string =>
    JSON.stringify(members.map(({ id, weight }) => `${id}:${weight ?? 1}`).sort())
  const credits = (rows: GenesisOptions['balances']): string =>
    JSON.stringify((rows ?? []).map(({ id, microCredits }) => `${id}=${microCredits}`).sort())
  const ids = (list: readonly string[] | null | undefined): string =>
    JSON.stringify([...new Set(list ?? [])].sort())
  return (
    engine === (wanted.consensus ?? 'quorum') &&
    seats(committee) === seats(wanted.committee ?? []) &&
    ids(inviters) === ids(wanted.inviters) &&
    ids(allowed) === ids(wanted.allowed) &&
    credits(balances) === credits(wanted.balances)
  )
}
