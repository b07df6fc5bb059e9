/**
 * What a program moves in bulk between two nodes: the updates of a run that another member asks
 * for.
 *
 * Programs get no streams. A run's updates are blobs: the member that asks fetches each from
 * whoever has it, checks its hash, and computes every average again; only then is the run its own.
 * The same in Node.js and in a page.
 */

/** 993,930 parameters: each update is a blob of 3.98 MB. */
const LAYERS = [64, 1024, 896, 10]
/** A node follows eight unfinished runs of others by itself; the ninth waits to be asked for. */
const FOLLOWED = 8
const NAME = 'large'
const LOOK_MS = 20

/** Bytes of the updates of so many rounds, one in each, which is what a fetch brings. */
export const bytesOf = (rounds, layers = LAYERS) => {
  const parameters = layers.slice(1).reduce((sum, units, at) => sum + units * (layers[at] + 1), 0)
  return rounds * parameters * 4
}

async function finished(node) {
  for await (const event of node.events()) {
    if (event.type === 'run' && event.name === NAME && event.state === 'finished') return
  }
}

/** Has the node train alone, and resolves when there is a run to fetch. */
export async function hold(node, data, rounds) {
  const waiting = { layers: [64, 2, 10], rounds: 1, updatesMin: 9, deadlineMs: 600_000 }
  for (let n = 0; n < FOLLOWED; n += 1) await node.startRun({ name: `tiny-${n}`, data, ...waiting })
  const end = finished(node)
  await node.startRun({ name: NAME, data, layers: LAYERS, rounds, quorum: 1, updatesMin: 1 })
  await end
}

/** Waits until the node knows the run; nothing of it has been fetched then. */
export async function known(node) {
  const isKnown = async () => (await node.runs()).some(({ name }) => name === NAME)
  while (!(await isKnown())) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  const { blobs } = await node.status()
  if (blobs.bytes >= bytesOf(1)) throw new Error('the run was fetched before it was asked for')
}

/** Milliseconds until the run that another node holds is here, checked and computed again. */
export async function fetchRun(node) {
  const end = finished(node)
  const begun = performance.now()
  await node.runModel(NAME)
  await end
  return performance.now() - begun
}
