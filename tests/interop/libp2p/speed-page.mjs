/** js-libp2p in a page, for `npm run bench:net`: what is put on `globalThis.tab` is called. */
import { identify } from '@libp2p/identify'
import { fetchBulk, serveBulk } from './bulk.mjs'
import { createInPage } from './in-page.mjs'

const LOOK_MS = 20

const create = (listen) => createInPage(listen, { identify: identify() })

globalThis.tab = {
  /** Gives bytes to whoever asks; resolves to its address, once a relay passes it on. */
  async hold(relay) {
    const peer = await create([`${relay}/p2p-circuit`, '/webrtc'])
    await serveBulk(peer)
    for (;;) {
      const found = peer
        .getMultiaddrs()
        .map(String)
        .find((one) => one.includes('/webrtc'))
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  },
  fetchFrom: async (address, bytes) => fetchBulk(await create([]), address, bytes),
  async fetchDirectly(address, bytes) {
    const peer = await create(['/webrtc'])
    const ms = await fetchBulk(peer, address, bytes)
    const ways = peer.getConnections().filter(({ limits }) => limits === undefined)
    if (!ways.some(({ multiplexer }) => multiplexer === '/webrtc')) throw new Error('not direct')
    return ms
  },
}
