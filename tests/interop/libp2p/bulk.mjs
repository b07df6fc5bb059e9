/**
 * Many bytes over one stream of js-libp2p, as its users send them: as fast as the stream takes
 * them.
 */
import { multiaddr } from '@multiformats/multiaddr'

const PROTOCOL = '/bench/bulk/1'
const CHUNK_BYTES = 64 << 10
const COUNT_BYTES = 4
/** It gives up after ten seconds otherwise, which a busy machine may take. */
const DIAL_MS_MAX = 60_000

/** Lets others ask for bytes: they say how many, and get them. */
export async function serveBulk(peer) {
  await peer.handle(PROTOCOL, async (stream) => {
    const { value } = await stream[Symbol.asyncIterator]().next()
    const asked = value.subarray()
    let rest = new DataView(asked.buffer, asked.byteOffset).getUint32(0)
    const chunk = new Uint8Array(CHUNK_BYTES).fill(7)
    for (; rest > 0; rest -= Math.min(rest, CHUNK_BYTES)) {
      if (!stream.send(chunk.subarray(0, Math.min(rest, CHUNK_BYTES)))) await stream.onDrain()
    }
    await stream.close()
  })
}

/** Milliseconds until so many bytes have come from whoever serves them there. */
export async function fetchBulk(peer, address, bytes) {
  const signal = AbortSignal.timeout(DIAL_MS_MAX)
  await peer.dial(multiaddr(address), { signal })
  const begun = performance.now()
  const stream = await peer.dialProtocol(multiaddr(address), PROTOCOL, { signal })
  const count = new Uint8Array(COUNT_BYTES)
  new DataView(count.buffer).setUint32(0, bytes)
  stream.send(count)
  let had = 0
  for await (const chunk of stream) {
    had += chunk.byteLength
    if (had >= bytes) break
  }
  if (had !== bytes) throw new Error(`${had} bytes of ${bytes} came`)
  return performance.now() - begun
}
