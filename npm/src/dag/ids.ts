/** Names of vertices: the text of a CID, and the key under which a store has its bytes. */
import { base32 } from './cbor.js'

/** How a CID of a vertex begins: version 1, DAG-CBOR, BLAKE3 of 32 bytes. */
const VERTEX_CID = Uint8Array.of(0x01, 0x71, 0x1e, 0x20)

/** The id of the vertex that a store has under a key. */
export function vertexId(key: Uint8Array): string {
  return `b${base32(Uint8Array.of(...VERTEX_CID, ...key))}`
}
