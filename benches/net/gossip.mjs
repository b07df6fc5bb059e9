/**
 * Messages of 1 KB from several processes to one, by gossip: ours are sealed messages, which is
 * what programs have of that size, and some share a vertex; those of js-libp2p are published on a
 * topic, signed, as vertices are.
 */
import { quantile, row } from './figures.mjs'
import { Process, turns } from './processes.mjs'

const AUTHORS = 4
/**
 * Others take 20 vertices of an author a second, and 128 at once. Messages that are written in one
 * go make two vertices, so each author writes a batch ten times a second.
 */
const [BATCH, BATCH_EVERY_MS] = [13, 100]
const RATE = (AUTHORS * BATCH * 1_000) / BATCH_EVERY_MS
/** As in the programs. */
const WARMING = 60
const LATE_MS_MAX = 20_000
const LOOK_MS = 100

/** Looks again and again, until there is enough or it is late. */
async function looked(look, isEnough) {
  const until = performance.now() + LATE_MS_MAX
  for (;;) {
    const found = await look()
    if (isEnough(found) || performance.now() > until) return found
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

/** Each author writes `count`, `batch` at a time. */
async function told(program, count, batch, everyMs) {
  const hearer = new Process(program, 'hear')
  const { address, network, name } = await hearer.next()
  const where = program === 'ours' ? [address, network, name] : [address]
  const tellers = Array.from({ length: AUTHORS }, () => new Process(program, 'tell', ...where))
  for (const teller of tellers) await teller.next()
  const go = () =>
    Promise.all(tellers.map((teller) => teller.ask(`go ${count} ${batch} ${everyMs}`)))
  const all = await (program === 'ours' ? ours : theirs)(hearer, go, AUTHORS * count)
  for (const one of [hearer, ...tellers]) one.end()
  return all
}

async function theirs(hearer, go, expected) {
  await go()
  const came = await looked(
    () => hearer.ask('came'),
    (all) => all.length >= expected,
  )
  const latencies = came.map(([due, at]) => at - due)
  const ms = Math.max(...came.map(([, at]) => at)) - Math.min(...came.map(([due]) => due))
  return { latencies, lost: expected - came.length, perSecond: (came.length / ms) * 1_000 }
}

/**
 * Nobody is told when a message comes, so it is the vertices that are seen to come, and the first
 * written is taken for the first to come: as they overtake each other by less than they take, that
 * moves the quantiles by little, and the mean not at all.
 */
async function ours(hearer, go, expected) {
  const read = (count) =>
    looked(
      () => hearer.ask('read'),
      (all) => all >= count,
    )
  await read(AUTHORS * WARMING)
  await hearer.ask('watch')
  const vertices = new Map()
  for (const [due, vertex, written] of (await go()).flatMap(({ sent }) => sent)) {
    const known = vertices.get(vertex) ?? { written, dues: [] }
    known.dues.push(due)
    vertices.set(vertex, known)
  }
  const inOrder = [...vertices.values()].toSorted((a, b) => a.written - b.written)
  const arrivals = await looked(
    () => hearer.ask('came'),
    (all) => all.length >= inOrder.length,
  )
  const had = (await read(AUTHORS * WARMING + expected)) - AUTHORS * WARMING
  const came = inOrder.slice(0, arrivals.length)
  const latencies = came.flatMap(({ dues }, at) => dues.map((due) => arrivals[at] - due))
  const begun = Math.min(...inOrder.flatMap(({ dues }) => dues))
  const perSecond = (had / (Math.max(...arrivals) - begun)) * 1_000
  return { latencies, lost: expected - had, perSecond }
}

/** The rows. @param {{ turns: number, messages: number, seconds: number }} size */
export async function gossip({ turns: count, messages, seconds }) {
  const many = await turns(count, (program) => told(program, messages, messages, 0))
  const each = Math.round((seconds * 1_000) / BATCH_EVERY_MS) * BATCH
  const few = await turns(count, (program) => told(program, each, BATCH, BATCH_EVERY_MS))
  const of = (runs, figure) => ({ ours: runs.ours.map(figure), theirs: runs.js.map(figure) })
  const lost = (runs) => {
    const [mine, other] = [runs.ours, runs.js].map((all) =>
      all.reduce((sum, one) => sum + one.lost, 0),
    )
    return `lost: ${mine} of ours, ${other} of theirs`
  }
  const at = `1 KB at ${RATE} a second from ${AUTHORS} authors, from the call to the other process`
  const latency = (share) => of(few, ({ latencies }) => quantile(latencies, share))
  return [
    row({
      what: `1 KB from ${AUTHORS} authors, ${messages} of each at once: heard (${lost(many)})`,
      unit: 'per second',
      ...of(many, ({ perSecond }) => perSecond),
      goal: 5_000,
    }),
    row({ what: `${at}: p50`, unit: 'ms', ...latency(0.5) }),
    row({ what: `${at}: p99 (${lost(few)})`, unit: 'ms', ...latency(0.99), goal: 20 }),
  ]
}
