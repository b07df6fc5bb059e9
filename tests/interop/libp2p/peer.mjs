/**
 * js-libp2p between two nodes, in a process of the Node.js that it needs.
 *
 * `node peer.mjs IDENTITY NETWORK` plays the node whose identity file that is, towards whoever is
 * connected: it holds its transport key, so it has its peer id. What it cannot do is sign for the
 * author. Hellos are therefore those of the real nodes: what one asks is asked of the other by
 * `forward`, and the answer goes back. Nothing but hellos is passed on, so vertices reach a node by
 * gossip or not at all.
 *
 * Commands come as JSON lines on stdin and are answered, in any order, by their number; what happens
 * is told on stdout in the same way.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

/** Where the seed of the transport key stands in an identity file. */
const SEED = [72, 104]
const SYNC = '/synaptic-mesh/sync/6'

const [identity, network] = process.argv.slice(2)
const topic = `synaptic-mesh/${network}/vertices/1`
const seed = readFileSync(identity).subarray(...SEED)

const peer = await createLibp2p({
  privateKey: await generateKeyPairFromSeed('Ed25519', seed),
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
  transports: [webSockets()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    ping: ping(),
    gossip: gossipsub({ globalSignaturePolicy: 'StrictNoSign' }),
  },
})

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const hex = (bytes) => Buffer.from(bytes).toString('hex')

/** Questions of peers that wait until the test has brought the answer. */
const asked = new Map()

/** One message of the sync protocol: four bytes of length, little-endian, and so many more. */
async function receive(stream) {
  const chunks = []
  let missing = 4
  let length
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk.subarray()))
    const bytes = Buffer.concat(chunks)
    if (length === undefined && bytes.length >= 4) length = bytes.readUInt32LE()
    missing = (length ?? 0) + 4 - bytes.length
    if (length !== undefined && missing <= 0) return bytes.subarray(4, 4 + length)
  }
  throw new Error(`the stream ended with ${missing} bytes missing`)
}

async function send(stream, bytes) {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  stream.send(Buffer.concat([length, bytes]))
  await stream.close()
}

await peer.handle(SYNC, async (stream) => {
  try {
    const question = await receive(stream)
    const number = asked.size
    asked.set(number, stream)
    say({ event: 'asked', number, bytes: hex(question) })
  } catch (error) {
    stream.abort(error)
  }
})

const commands = {
  dial: async ({ address }) => {
    const { remotePeer, encryption, multiplexer } = await peer.dial(multiaddr(address))
    return { peer: remotePeer.toString(), encryption, multiplexer }
  },
  ping: async ({ address }) => ({ ms: await peer.services.ping.ping(multiaddr(address)) }),
  /** Asks a peer on the sync protocol. */
  ask: async ({ address, bytes }) => {
    const stream = await peer.dialProtocol(multiaddr(address), SYNC)
    await send(stream, Buffer.from(bytes, 'hex'))
    return { bytes: hex(await receive(stream)) }
  },
  /** Says bytes as they are on so many streams at once, reads nothing, and waits for their end. */
  shout: async ({ address, protocol, bytes, count }) => {
    const begun = performance.now()
    const one = async () => {
      const stream = await peer.dialProtocol(multiaddr(address), protocol)
      const ended = new Promise((resolve) => stream.addEventListener('close', resolve))
      stream.send(Buffer.from(bytes, 'hex'))
      await ended
    }
    const ends = await Promise.allSettled(Array.from({ length: count }, one))
    const refused = ends.filter(({ status }) => status === 'rejected').length
    return { refused, ms: Math.round(performance.now() - begun) }
  },
  answer: async ({ number, bytes }) => {
    await send(asked.get(number), Buffer.from(bytes, 'hex'))
    return {}
  },
  subscribers: async () => ({ peers: peer.services.gossip.getSubscribers(topic).map(String) }),
  publish: async ({ bytes }) => {
    const { recipients } = await peer.services.gossip.publish(topic, Buffer.from(bytes, 'hex'))
    return { recipients: recipients.map(String) }
  },
}

peer.services.gossip.addEventListener('message', ({ detail }) => {
  if (detail.topic === topic) say({ event: 'gossip', bytes: hex(detail.data) })
})
peer.services.gossip.subscribe(topic)
peer.addEventListener('peer:identify', ({ detail }) => {
  const { peerId, agentVersion, protocolVersion, protocols } = detail
  say({ event: 'identified', peer: String(peerId), agentVersion, protocolVersion, protocols })
})
peer.addEventListener('connection:close', ({ detail }) =>
  say({ event: 'closed', peer: String(detail.remotePeer) }),
)

say({ event: 'ready', peer: String(peer.peerId), addresses: peer.getMultiaddrs().map(String) })
for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, ...body } = JSON.parse(line)
  commands[command](body).then(
    (data) => say({ id, data }),
    (error) => say({ id, error: String(error?.message ?? error) }),
  )
}
await peer.stop()
