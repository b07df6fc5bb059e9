/**
 * The history in the store of a home, read beside the node that may be writing it.
 *
 * What is read is what was on the disk when it was opened: everything that the node acknowledged.
 */
import { SynapticError, toSynapticError } from '../errors.js'
import { readGenesis } from '../genesis.js'
import { type Home, homeAt, networkDirectory, notInitialised } from '../home.js'
import { coded } from '../host/coded.js'
import { type StoredHistory, storedHistory } from '../host/store.js'
import { hasIdentity, ownNetwork } from '../identity.js'
import { badArgument } from '../neural/arguments.js'
import {
  type DagEntry,
  type DagFault,
  type DagStats,
  type DagVerified,
  type DagVertex,
  loadMesh,
  type MeshModule,
} from '../wasm.js'
import { decodeDagCbor, type Value } from './cbor.js'

/** Vertices of a piece; the core cuts it to its own bound. */
const PAGE = 128

/** Which vertices are listed. */
export interface LogOptions {
  /** The beginning of an author's id. */
  readonly author?: string | undefined
  /** How many at most; all by default. */
  readonly limit?: number | undefined
}

/** A vertex, and what it says. */
export interface ShownVertex extends Omit<DagVertex, 'bytes' | 'signature'> {
  /** Everything that is signed, as DAG-JSON. */
  readonly content: Value
  /** In base64. */
  readonly signature: string
}

/** The vertices of a store, held in memory until `free()`. */
export class DagHistory {
  #held: ReturnType<MeshModule['History']['read']> | undefined

  /** @internal Use {@link openHistory}. */
  constructor(
    mesh: MeshModule,
    network: string,
    { vertices, pruned }: StoredHistory,
    genesis?: Uint8Array,
  ) {
    try {
      this.#held = coded(mesh.History.read(network, vertices, pruned, genesis))
    } catch (thrown) {
      throw toSynapticError(thrown)
    }
  }

  /** Vertices, newest first. */
  *log({ author, limit = Number.POSITIVE_INFINITY }: LogOptions = {}): Generator<DagEntry> {
    let before: string | undefined
    for (let left = limit; left > 0; ) {
      const page = this.#core.log({
        limit: Math.min(left, PAGE),
        ...(before !== undefined && { before }),
        ...(author !== undefined && { author }),
      })
      yield* page
      left -= page.length
      before = page.at(-1)?.id
      if (before === undefined) return
    }
  }

  /**
   * A vertex by its id, or as much of its beginning as is unique.
   *
   * @throws SynapticError `no-such-vertex`, `id-ambiguous`
   */
  show(id: string): ShownVertex {
    // An item is named by its vertex and a place in it.
    const { bytes, signature, ...entry } = this.#core.show(id.replace(/\/\d+$/, ''))
    return {
      ...entry,
      content: decodeDagCbor(bytes),
      signature: Buffer.from(signature).toString('base64'),
    }
  }

  /** The history in figures. */
  stats(): DagStats {
    return this.#core.stats()
  }

  /** Records of the store that are no vertices of this history. */
  get damaged(): readonly DagFault[] {
    return this.#core.damaged.map((fault) => ({ ...fault, message: ofAnybody(fault.message) }))
  }

  /** Verifies hashes, signatures and rules of every vertex, piece by piece. */
  *verify(): Generator<DagVerified> {
    for (let from = 0; ; ) {
      const piece = this.#core.verify(from, PAGE)
      yield piece
      if (piece.done >= piece.total) return
      if (piece.done <= from) throw new SynapticError('internal', 'a verification got stuck')
      from = piece.done
    }
  }

  /** Gives the memory back; the history cannot be read afterwards. Freeing twice does nothing. */
  free(): void {
    this.#held?.free()
    this.#held = undefined
  }

  /** As {@link DagHistory.free}. */
  [Symbol.dispose](): void {
    this.free()
  }

  get #core(): ReturnType<MeshModule['History']['read']> {
    if (this.#held !== undefined) return this.#held
    throw new SynapticError(
      'history-freed',
      'this history was freed, and cannot be read any more',
      'open it again with openHistory, and free it when nothing is read any more',
    )
  }
}

/** The core means a node that starts, which refuses this of its own vertices alone. */
function ofAnybody(message: string): string {
  return message.replace(/^own (vertex .*); the store is damaged, restore it$/, '$1')
}

/**
 * Opens the history of a home, whether its node is running or not. `network` is the one that the
 * home belongs to if absent.
 *
 * @throws SynapticError `not-initialised`, `no-history`, `storage-*`
 */
export async function openHistory(
  home: string | Home,
  { network }: { readonly network?: string | undefined } = {},
): Promise<DagHistory> {
  const isHome = typeof home === 'object' && home !== null && 'identityFile' in home
  if (typeof home !== 'string' && !isHome) {
    throw badArgument('the home', 'the path of a folder', home, "openHistory('my-home')")
  }
  const place = typeof home === 'string' ? homeAt(home, 'flag') : home
  if (!hasIdentity(place)) throw notInitialised(place)
  const asked = network ?? ownNetwork(place)
  const stored = asked === undefined ? undefined : storedHistory(networkDirectory(place, asked))
  if (asked === undefined || stored === undefined) {
    throw new SynapticError(
      'no-history',
      `there is no history in ${place.directory}`,
      'start the node first; one with --storage memory keeps none on the disk',
    )
  }
  return new DagHistory(await loadMesh(), asked, stored, readGenesis(place, asked))
}
