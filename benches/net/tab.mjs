/** A node of ours in a page, for `npm run bench:net`: what is put on `globalThis.tab` is called. */
import { fetchRun, hold, known } from '/bench/history.mjs'
import { createNode } from '/package/browser.mjs'

const ROWS = 20
const LOOK_MS = 20
const FOUND_MS_MAX = 30_000
const join = (link) => createNode({ join: link, storage: 'memory' })

/** Some rows of the digits. */
async function digits() {
  const text = await (await fetch('/package/data/digits.csv')).text()
  return new TextEncoder().encode(text.split('\n').slice(0, ROWS).join('\n'))
}

/** Waits for a direct way to another tab. */
async function direct(node) {
  const until = performance.now() + FOUND_MS_MAX
  while (performance.now() < until) {
    const { peers } = await node.status()
    if (peers.some(({ transport, path }) => transport === 'webrtc' && path === 'direct')) return
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  throw new Error('the tabs found no direct way')
}

globalThis.tab = {
  /** Has a run, and stays. */
  async hold(link, rounds) {
    await hold(await join(link), await digits(), rounds)
  },
  async fetchFrom(link) {
    const node = await join(link)
    await known(node)
    return fetchRun(node)
  },
  async fetchDirectly(link) {
    const node = await join(link)
    await known(node)
    await direct(node)
    return fetchRun(node)
  },
}
