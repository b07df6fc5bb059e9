/**
 * A tab of ours: a node in a worker, whose page lends it peer connections, as the dashboard does.
 *
 * The same script is the page, where the test calls what is put on `globalThis.ours`, and the worker
 * that it starts. `synaptic-mesh` is the unpacked package; its parts are used by themselves, because
 * a test has to know the peer id.
 */
import { loadMesh } from 'synaptic-mesh/browser.mjs'
import { lendPeers, peersOf } from 'synaptic-mesh/lib/page/peer.js'
import { connect, serve } from 'synaptic-mesh/lib/page/rpc.js'
import { browserHost } from 'synaptic-mesh/lib/page/socket.js'

let peers
let node

const api = {
  async start(options) {
    const mesh = await loadMesh()
    const secrets = mesh.generateSecrets()
    node = await mesh.MeshNode.create({
      ...options,
      secrets,
      storage: { kind: 'memory' },
      host: { ...browserHost(), peer: peersOf(peers) },
    })
    void pump()
    return mesh.inspectSecrets(secrets)
  },
  dial: (address) => node.dial(address),
  counters: async () => (await node.status()).counters,
}

/** Events that nobody takes would fill their queue. */
async function pump() {
  while ((await node.nextEvent()) !== null);
}

if (typeof document === 'undefined') {
  addEventListener('message', ({ data }) => {
    if (data.peers instanceof MessagePort) peers = data.peers
  })
  serve(globalThis, api)
} else {
  const worker = new Worker(new URL(import.meta.url), { type: 'module' })
  const { port1, port2 } = new MessageChannel()
  lendPeers(port1)
  worker.postMessage({ peers: port2 }, [port2])
  globalThis.ours = connect(worker, () => {}).remote
}
