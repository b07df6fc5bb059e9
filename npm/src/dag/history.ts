/**
 * The history in the store of a home, read beside the node that may be writing it.
 *
 * What is read is what was on the disk when it was opened: everything that the node acknowledged.
 */
import { SynapticError } from '../errors.js'
import type { StoredHistory } from '../host/store.js'
import type { DagEntry, DagFault, DagStats, DagVerified, DagVertex, MeshModule } from '../wasm.js'
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
  readonly #core: ReturnType<MeshModule['History']['read']>

  constructor(mesh: MeshModule, network: string, { vertices, pruned }: StoredHistory) {
    this.#core = mesh.History.read(network, vertices, pruned)
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
    const { bytes, signature, ...entry } = this.#core.show(id)
    return {
      ...entry,
      content: decodeDagCbor(bytes),
      signature: Buffer.from(signature).toString('base64'),
    }
  }

  stats(): DagStats {
    return this.#core.stats()
  }

  /** Records of the store that are no vertices of this history. */
  get damaged(): readonly DagFault[] {
    return this.#core.damaged
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

  free(): void {
    this.#core.free()
  }
}
