/**
 * Messages of 1 KB from several processes to one, by gossip: ours are sealed messages, which is what
 * programs have of that size; an author's go together in a vertex, and others take 20 of its vertices
 * a second. Those of js-libp2p are published on a topic, signed.
 */
import { quantile, row } from './figures.mjs'
import { Process, turns } from './processes.mjs'

/** At which an author writes the 20 vertices a second that others take. */
const RATE_OF_AUTHOR = 250
/** Both sides write so many per second for latencies. */
const RATE = 500
const LATE_MS_MAX = 10_000
const LOOK_MS = 100

/** `authors` processes write `seconds` long, `rate` a second each (0: at once). */
async function told(program, { authors, seconds, rate, count }) {
  const hearer = new Process(program, 'hear')
  const { address, network, name } = await hearer.next()
  const where = program === 'ours' ? [address, network, name] : [address]
  const each = count ?? Math.round(rate * seconds)
  const tellers = Array.from({ length: authors }, () => new Process(program, 'tell', ...where, each, rate))
  for (const teller of tellers) await teller.next()
  await hearer.ask('watch')
  const said = await Promise.all(tellers.map((teller) => teller.ask('go')))
  const heard = await (program === 'ours' ? readAll : gathered)(hearer, said, authors * each)
  for (const one of [hearer, ...tellers]) one.end()
  return heard
}

/** What js-libp2p heard, once it is everything or late. */
async function gathered(hearer, _said, expected) {
  const until = performance.now() + LATE_MS_MAX
  for (;;) {
    const { came } = await hearer.ask('came')
    if (came.length < expected && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      continue
    }
    const latencies = came.map(([called, at]) => at - called)
    return heard(latencies, came.map(([called]) => called), came.map(([, at]) => at), expected)
  }
}

/**
 * What a node of ours heard. Nobody is told of a message, so it is the vertices that are seen to
 * come, and the first written is taken for the first to come: as they overtake each other by less
 * than they take, that moves the figures by little, and their mean not at all.
 */
async function readAll(hearer, said, expected) {
  const vertices = new Map()
  for (const [called, vertex, written] of said.flatMap(({ sent }) => sent)) {
    const known = vertices.get(vertex) ?? { written, called: [] }
    known.called.push(called)
    vertices.set(vertex, known)
  }
  const inOrder = [...vertices.values()].toSorted((a, b) => a.written - b.written)
  const until = performance.now() + LATE_MS_MAX
  for (;;) {
    const { arrivals, read } = await hearer.ask('came')
    const had = read - said.length
    if (had < expected && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      continue
    }
    const latencies = inOrder.flatMap(({ called }, at) => called.map((one) => arrivals[at] - one))
    return heard(latencies, inOrder.flatMap(({ called }) => called), arrivals, expected, had)
  }
}

/** @param {number} had messages that came, of `expected` */
function heard(latencies, called, arrivals, expected, had = arrivals.length) {
  const ms = Math.max(...arrivals) - Math.min(...called)
  return { lost: expected - had, perSecond: (had / ms) * 1_000, latencies }
}

const lost = (all) => all.reduce((sum, one) => sum + one.lost, 0)

/** The rows. @param {{ turns: number, seconds: number, authors: number }} size */
export async function gossip({ turns: count, seconds, authors }) {
  const many = await turns(count, (program) =>
    program === 'ours'
      ? told(program, { authors, seconds, rate: RATE_OF_AUTHOR })
      : told(program, { authors, rate: 0, count: RATE_OF_AUTHOR * seconds }),
  )
  const few = await turns(count, (program) =>
    told(program, { authors: RATE / RATE_OF_AUTHOR, seconds, rate: RATE_OF_AUTHOR }),
  )
  const of = (runs, figure) => ({ ours: runs.ours.map(figure), theirs: runs.js.map(figure) })
  const missing = (runs) => `${lost(runs.ours)} of ours lost, ${lost(runs.js)} of theirs`
  const quota = `${authors} authors, ours at their quota of ${RATE_OF_AUTHOR} a second, theirs at once`
  const at = `a message of 1 KB at ${RATE} a second, 2 authors`
  const latency = (share) => of(few, ({ latencies }) => quantile(latencies, share))
  return [
    row({
      what: `messages of 1 KB heard, ${quota} (${missing(many)})`,
      unit: 'per second',
      ...of(many, ({ perSecond }) => perSecond),
      goal: 5_000,
    }),
    row({ what: `${at}: from the call to the other process, p50`, unit: 'ms', ...latency(0.5) }),
    row({ what: `${at}: p99 (${missing(few)})`, unit: 'ms', ...latency(0.99), goal: 20 }),
  ]
}
