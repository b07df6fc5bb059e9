/**
 * What a network with finality began with, on disk: beside the history of the network, so that a
 * member which joined by a link has it for good.
 *
 * The id of the network is the hash of these bytes. The core checks that; nothing here does. Beside
 * it lies the invite that a permissioned network was joined with.
 */
import * as path from 'node:path'
import { type Problem, SynapticError, toSynapticError } from './errors.js'
import { exists, makePrivateDirectory, readBounded, SECRET_MODE, writeAtomic } from './files.js'
import { genesisFile, type Home, inviteFile } from './home.js'
import { GENESIS_BYTES_MAX, INVITE_BYTES_MAX } from './link.js'
import type { CommitteeMember, GenesisOptions, MeshModule } from './wasm.js'

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

/**
 * Keeps the newest invite to a network.
 *
 * @throws SynapticError as {@link requireInviteTo}
 */
export function keepInvite(
  mesh: MeshModule,
  home: Home,
  network: string,
  genesis: Uint8Array | undefined,
  invite: Uint8Array,
): void {
  requireInviteTo(mesh, network, genesis, invite)
  const file = inviteFile(home, network)
  makePrivateDirectory(path.dirname(file))
  writeAtomic(file, invite, SECRET_MODE)
}

/** The invite that a home has to a network, or what is wrong with it: a start goes on without. */
export function readInvite(
  mesh: MeshModule,
  home: Home,
  network: string,
  genesis: Uint8Array | undefined,
): { readonly invite?: Uint8Array; readonly wrong?: Problem } {
  const file = inviteFile(home, network)
  if (network === '' || !exists(file)) return {}
  try {
    const invite = new Uint8Array(readBounded(file, INVITE_BYTES_MAX))
    requireInviteTo(mesh, network, genesis, invite)
    return { invite }
  } catch (thrown) {
    const { message } = toSynapticError(thrown)
    const hint = 'who is a member needs none; else join by a link with a new invite'
    return { wrong: { code: 'invite-ignored', message: `${file} is not used: ${message}`, hint } }
  }
}

/**
 * Refuses what is no invite to a network: a home that keeps one would not start any more. Whether
 * it is good for anything is a matter of the members.
 *
 * @throws SynapticError `invite-malformed`, `invite-foreign`, `network-open`
 */
export function requireInviteTo(
  mesh: MeshModule,
  network: string,
  genesis: Uint8Array | undefined,
  invite: Uint8Array,
): void {
  const found = mesh.inspectInvite(invite).network
  if (found !== network) {
    throw new SynapticError(
      'invite-foreign',
      `the invite is to network ${found}, not to ${network}`,
      'ask for a join link with an invite to this network',
    )
  }
  if (isPermissioned(mesh, genesis)) return
  throw new SynapticError(
    'network-open',
    'there is an invite, and nothing says that the network takes members by invite',
    'take the whole join link of a member',
  )
}

/** Whether a network takes members by invite, as its genesis says. */
export function isPermissioned(mesh: MeshModule, genesis: Uint8Array | undefined): boolean {
  return genesis !== undefined && mesh.inspectGenesis(genesis).inviters !== null
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
