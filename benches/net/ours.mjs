/**
 * Nodes for `npm run bench:net`, from the package that `SYNAPTIC_PACKAGE` names. What each role
 * does stands at its function. All but `dial` stay until they are ended.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { fetchRun, hold, known } from './history.mjs'

const PACKAGE = process.env.SYNAPTIC_PACKAGE
const load = (file) => import(pathToFileURL(join(PACKAGE, file)).href)
const { createNode } = await load('node.mjs')
const [role, ...args] = process.argv.slice(2)
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
/** All processes of a machine have this clock in common (milliseconds). */
const now = () => Number(process.hrtime.bigint()) / 1e6

/** Answers each line of stdin. */
async function answering(answers) {
  for await (const word of createInterface({ input: process.stdin })) {
    const [name, ...given] = word.split(' ')
    say(await answers[name](...given))
  }
}

const cost = () => ({ cpu: process.cpuUsage(), rss: process.memoryUsage().rss })

/** Some rows of the digits. */
const digits = (count) => {
  const lines = readFileSync(join(PACKAGE, 'data', 'digits.csv'), 'utf8').split('\n')
  return Buffer.from(lines.slice(0, count).join('\n'))
}

/**
 * `listen [allow]`: says its address, network and join link; `cost`, `peers`, and `run`, of which
 * all hear. With `allow` it takes noise too.
 */
async function listen(classical = 'refuse') {
  const node = await createNode({ classical })
  say({ address: node.addresses[0], network: node.network, join: node.joinLink })
  await answering({
    cost,
    peers: async () => (await node.status()).peers.length,
    run: async () => {
      const shape = { layers: [64, 2, 10], rounds: 1, updatesMin: 9, deadlineMs: 600_000 }
      await node.startRun({ name: 'reaches', data: digits(20), ...shape })
      return {}
    },
  })
}

/**
 * `dial ADDRESS COUNT NETWORK`: how long each of so many new nodes takes until both know each
 * other.
 */
async function dial(address, count, network) {
  const times = []
  for (let n = 0; n < Number(count); n += 1) {
    const node = await createNode({ network })
    const begun = performance.now()
    await node.connect(address)
    times.push(performance.now() - begun)
    await node.stop()
  }
  say({ times })
}

/**
 * `join LINK COUNT KIND`: so many nodes, which listen (`process`) or cannot be called, as in a tab
 * (`tab`). Says when all are made; `heard` says how many know the run `reaches`.
 */
async function joinAll(link, count, kind) {
  const none = () => {
    throw new Error('nothing is trained here')
  }
  const tab = kind === 'tab' ? (await load('browser.mjs')).createNode : undefined
  const heard = new Set()
  const nodes = []
  for (let n = 0; n < Number(count); n += 1) {
    const options = { join: link, storage: 'memory' }
    const node =
      tab === undefined ? await createNode(options) : await tab({ ...options, worker: none })
    nodes.push(node)
    void hears(node, () => heard.add(n))
  }
  say({ made: nodes.length })
  await answering({
    heard: () => heard.size,
    alone: async () => {
      const all = await Promise.all(nodes.map((node) => node.status()))
      return all.filter(({ peers }) => peers.length === 0).length
    },
  })
}

async function hears(node, tell) {
  for await (const event of node.events()) {
    if (event.type === 'run' && event.name === 'reaches') tell()
  }
}

/** `hold ROUNDS`: has a run; says its join link. */
async function holdRun(rounds) {
  const node = await createNode({ storage: 'memory' })
  await hold(node, digits(20), Number(rounds))
  say({ join: node.joinLink })
  await answering({ cost })
}

/** `fetch LINK`: how long it takes to have that run. */
async function fetchHeld(link) {
  const node = await createNode({ storage: 'memory', join: link })
  await known(node)
  say({ ms: await fetchRun(node) })
}

/** How often the receiver looks for new vertices (milliseconds): a look takes 0.4. */
const LOOK_MS = 5

/**
 * `hear`: says its address, network and name. `watch`: notes from now on when a vertex comes.
 * `read`: how many messages there are to
 * read. `came`: these times.
 */
async function hear() {
  const node = await createNode({ storage: 'memory' })
  say({ address: node.addresses[0], network: node.network, name: node.nodeId })
  const arrivals = []
  const watch = async () => {
    let { vertices } = await node.status()
    for (;;) {
      await pause(LOOK_MS)
      const status = await node.status()
      for (; vertices < status.vertices; vertices += 1) arrivals.push(now())
    }
  }
  await answering({
    watch: () => {
      void watch()
      return {}
    },
    read: async () => {
      let count = 0
      for await (const { text, problem } of node.messages.list()) {
        if (problem === null && text?.length === TEXT_BYTES) count += 1
      }
      return count
    },
    came: () => arrivals,
  })
}

const TEXT_BYTES = 1_000
/** Messages before anything is timed, for which the engine compiles (count). */
const WARMING = 60
/** A node refuses more than 64 commands that wait. */
const WAITING_MAX = 48

/**
 * `tell ADDRESS NETWORK NAME`: writes messages of 1 KB to that node, some at once (`warm`), and
 * then as many as `go COUNT BATCH EVERY` says, a batch at a time, so many milliseconds apart. Says
 * when each was due, and in which vertex it went.
 */
async function tell(address, network, to) {
  const node = await createNode({ storage: 'memory', network })
  await node.connect(address)
  const message = { to, text: 'x'.repeat(TEXT_BYTES) }
  // Not before its identity has come.
  while (
    !(await node.messages.send(message).then(
      () => true,
      () => false,
    ))
  )
    await pause(50)
  await told(node, message, WARMING - 1, WARMING, 0)
  say({})
  await answering({ go: (...numbers) => told(node, message, ...numbers.map(Number)) })
}

/** Each counts from when it was due, also when it had to wait for others to be written. */
async function told(node, message, count, batch, everyMs) {
  const begun = now()
  const sent = []
  let waiting = 0
  for (let n = 0; n < count; n += 1) {
    const due = begun + Math.floor(n / batch) * everyMs
    while (now() < due || waiting >= WAITING_MAX) await pause(1)
    waiting += 1
    const written = node.messages.send(message).then(({ id }) => {
      waiting -= 1
      return [due, id.split('/')[0], now()]
    })
    sent.push(written)
  }
  return { sent: await Promise.all(sent) }
}

const roles = { listen, dial, join: joinAll, hold: holdRun, fetch: fetchHeld, hear, tell }
await roles[role](...args)
process.exit()
