/**
 * `dag repair`: a damaged store is made whole from what other members have, and the identity stays.
 *
 * It is a new store with exactly the vertices that the old one had: those that can be read and are
 * what they say, and for all others bytes with the same hash, from a node of this command that
 * follows the network under a passing identity. Unless that is all of them, nothing is changed. The
 * damaged store is set aside.
 *
 * The passing identity is nobody that a permissioned network lists: it comes by an invite of its own,
 * which is one of the uses of that, and stays in the history.
 */
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { Config } from '../config.js'
import type { Context } from '../context.js'
import { DagHistory } from '../dag/history.js'
import { vertexId } from '../dag/ids.js'
import { SynapticError } from '../errors.js'
import { exists } from '../files.js'
import { isPermissioned, readGenesis } from '../genesis.js'
import { homeAt, networkDirectory, notInitialised } from '../home.js'
import {
  impossible,
  NEW_IDENTITY_HINT,
  type Records,
  type Salvage,
  salvage,
} from '../host/salvage.js'
import { DATABASE_FILE, SqliteStore, storedVertices } from '../host/store.js'
import { hasIdentity, requireHistory } from '../identity.js'
import { decodeJoinLink } from '../link.js'
import { Lock } from '../lock.js'
import { createNode } from '../node.js'
import type { Paint } from '../output.js'
import { patiently } from '../progress.js'
import { loadMesh, type MeshModule } from '../wasm.js'

/** Options of `dag repair`. */
export interface RepairOptions {
  /** A link of the network, for members that the home does not know. */
  readonly join?: string
  /** Seconds. */
  readonly timeout: number
}

const LOOK_MS = 250
/** Operations of one transaction. */
const BATCH = 256

/** What was done. */
interface Repaired {
  readonly vertices: number
  /** Of them from other members. */
  readonly fetched: number
  /** Where the damaged store is now; null where nothing was wrong. */
  readonly setAside: string | null
}

/** Repairs the history of the home. */
export async function run(context: Context, options: RepairOptions): Promise<void> {
  const { home, output } = context
  if (!hasIdentity(home)) throw notInitialised(home)
  const lock = Lock.acquire(home.lockFile)
  try {
    const done = await repair(context, options)
    output.result(done, (paint) => repairedText(done, paint))
  } finally {
    lock.release()
  }
}

async function repair(
  { home, around, output }: Context,
  options: RepairOptions,
): Promise<Repaired> {
  const config = Config.load(home, around)
  const network = config.get('network')
  const directory = networkDirectory(home, network)
  requireHistory(home, network, directory)
  const saved = salvage(directory)
  const { vertices, keys, found } = saved
  const mesh = await loadMesh()
  const lostOf = checker(mesh, network, saved)
  const link = options.join === undefined ? undefined : decodeJoinLink(options.join)
  const bootstrap = [
    ...(link?.addresses ?? []),
    ...config.get('bootstrap'),
    ...knownAddresses(saved),
  ]
  const genesis = readGenesis(home, network)
  let lost = lostOf(vertices)
  if (lost.length > 0 && link?.invite === undefined && isPermissioned(mesh, genesis)) {
    throw needsInvite(lost.length)
  }
  const all = new Set(lost)
  const folder = mkdtempSync(path.join(tmpdir(), 'synaptic-mesh-repair-'))
  const where = { folder, network, genesis, invite: link?.invite, bootstrap }
  try {
    // The signatures of those that follow a missing one show only when that is there.
    for (let before: string[] = []; lost.length > 0; before = lost, lost = lostOf(vertices)) {
      if (lost.length === before.length) throw notFetched(lost.length, all.size)
      for (const key of lost) all.add(key)
      const label = `fetching ${lost.length} vertices from other members`
      const fetch = (): Promise<Records> => fetched(where, lost, options.timeout * 1_000)
      const some = await patiently(output.stderr, label, fetch, output.talkative)
      for (const [key, bytes] of some) vertices.set(key, bytes)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (all.size === 0 && found.length === 0) {
    return { vertices: keys.length, fetched: 0, setAside: null }
  }
  return { vertices: keys.length, fetched: all.size, setAside: replace(directory, saved) }
}

function repairedText({ vertices, fetched, setAside }: Repaired, paint: Paint): string {
  if (setAside === null) return `nothing is wrong with these ${vertices} vertices`
  return [
    `${paint('green', 'repaired')}: ${vertices} vertices, ${fetched} of them from other members`,
    `what was damaged is in ${setAside}`,
  ].join('\n')
}

/** Which keys have no vertex among these records, or one that is not what it must be. */
function checker(
  mesh: MeshModule,
  network: string,
  { keys, meta }: Salvage,
): (vertices: Records) => string[] {
  const pruned = [...meta]
    .filter(([key]) => Buffer.from(key, 'hex').toString('latin1').startsWith('pruned/'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => value)
  return (vertices) => {
    const history = new DagHistory(mesh, network, { vertices: [...vertices.values()], pruned })
    try {
      const faults = [...history.verify()].flatMap((piece) => piece.faults)
      const wrong = new Set(faults.map(({ id }) => id))
      const placed = [...history.log()].map(({ id }) => id)
      // What only follows others is whole by itself; it is looked at again with those.
      const named = [...placed, ...history.damaged.flatMap(({ id }) => (id === null ? [] : [id]))]
      const whole = new Set(named.filter((id) => !wrong.has(id) || isParentMissing(id)))
      return keys.filter((key) => !whole.has(vertexId(Buffer.from(key, 'hex'))))

      function isParentMissing(id: string): boolean {
        return faults.every((one) => one.id !== id || one.code === 'parent-missing')
      }
    } finally {
      history.free()
    }
  }
}

/** Addresses that the node has noted. */
function knownAddresses({ meta }: Salvage): string[] {
  const noted = meta.get(Buffer.from('peers').toString('hex'))
  const text = noted === undefined ? '' : new TextDecoder().decode(noted)
  return text.split('\n').filter((line) => line.startsWith('/'))
}

interface Where {
  /** Of the passing identity: it is the same however often something is fetched. */
  readonly folder: string
  readonly network: string
  readonly genesis: Uint8Array | undefined
  readonly invite: Uint8Array | undefined
  readonly bootstrap: readonly string[]
}

/** What other members have of these keys, by a node that is there for nothing else. */
async function fetched(
  { folder, network, genesis, invite, bootstrap }: Where,
  keys: readonly string[],
  timeoutMs: number,
): Promise<Records> {
  const found: Records = new Map()
  const node = await createNode({
    home: folder,
    network,
    genesis,
    invite,
    bootstrap,
    history: 'all',
  })
  try {
    const until = Date.now() + timeoutMs
    while (found.size < keys.length && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      const missing = keys.filter((key) => !found.has(key))
      const place = networkDirectory(homeAt(folder, 'flag'), network)
      for (const [key, bytes] of storedVertices(place, missing)) found.set(key, bytes)
    }
    return found
  } finally {
    await node.stop()
  }
}

/** Puts a new store in the place of the damaged one, and says where that is now. */
function replace(directory: string, { vertices, meta, blobs, host }: Salvage): string {
  const place = path.join(directory, `repair-${process.pid}`)
  rmSync(place, { recursive: true, force: true })
  const store = SqliteStore.open(place)
  try {
    for (const [table, records] of Object.entries({ vertices, blobs, meta })) {
      const operations = [...records].map(
        ([key, value]) => [table, Buffer.from(key, 'hex'), value] as const,
      )
      for (let at = 0; at < operations.length; at += BATCH) {
        store.apply(operations.slice(at, at + BATCH))
      }
    }
    for (const [name, text] of host) store.remember(name, text)
    store.settle()
  } finally {
    store.close()
  }
  requireSame(salvage(place), { vertices, meta })
  const file = path.join(directory, DATABASE_FILE)
  const stamp = new Date().toISOString().replace(/[:.]/g, '-')
  const aside = `${file}.damaged-${stamp}`
  for (const suffix of ['-wal', '-shm', '']) {
    if (exists(file + suffix)) renameSync(file + suffix, aside + suffix)
  }
  renameSync(path.join(place, DATABASE_FILE), file)
  rmSync(place, { recursive: true, force: true })
  return aside
}

/** A store is not put into the place of another before it is seen to have everything. */
function requireSame(made: Salvage, wanted: Pick<Salvage, 'vertices' | 'meta'>): void {
  const isSame = (a: Records, b: Records): boolean =>
    a.size === b.size &&
    [...a].every(([key, value]) => Buffer.compare(value, b.get(key) ?? value.subarray(1)) === 0)
  const { found, vertices, meta } = made
  if (found.length === 0 && isSame(vertices, wanted.vertices) && isSame(meta, wanted.meta)) return
  throw new SynapticError(
    'storage-failed',
    'the repaired history was written and reads otherwise',
    'nothing was changed; check the disk',
  )
}

/** The invite that the home has is for who it is, and may have been for one. */
function needsInvite(lost: number): SynapticError {
  return new SynapticError(
    'uninvited',
    `${lost} vertices are damaged, and fetching them takes another member of this network`,
    'nothing was changed; ask for a join link with an invite, and try again with --join LINK',
  )
}

function notFetched(still: number, lost: number): SynapticError {
  const { message } = impossible(`of ${lost} damaged vertices no member in reach has ${still}`)
  return new SynapticError(
    'repair-incomplete',
    message,
    `nothing was changed; try again when more members run, or with --join LINK; if none of them has them: ${NEW_IDENTITY_HINT}`,
  )
}
