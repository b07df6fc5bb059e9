/**
 * Many nodes that come by the link of one: what those cost it that it keeps, and whether it reaches
 * all. A node takes 48 connections of others and ends some when there are more than 40, so most of
 * a crowd finds each other.
 */
import { row } from './figures.mjs'
import { Process } from './processes.mjs'

const IDLE_PEERS_GOAL = 100
/** Nodes in one process of the crowd (count). */
const PER_PROCESS = 20
/** What a node leaves newcomers to find others, and some more. */
const SETTLE_MS = 30_000
const LOOK_MS = 500
const REACH_MS_MAX = 120_000
const RELAY_MIB_MAX = 400

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0)

/** A node and so many that join by its link, at most 20 in a process. */
async function crowd(count, kind) {
  const called = new Process('ours', 'listen')
  const { join } = await called.next()
  // The first one compiles what the others use.
  const first = new Process('ours', 'join', join, 1, kind)
  await first.next()
  const before = await called.cost()
  const others = []
  for (let rest = count - 1; rest > 0; rest -= PER_PROCESS) {
    const one = new Process('ours', 'join', join, Math.min(rest, PER_PROCESS), kind)
    await one.next()
    others.push(one)
  }
  const all = [first, ...others]
  const end = () => {
    for (const one of [called, ...all]) one.end()
  }
  return { called, all, before, end }
}

/** What the peers that a node keeps cost it. @param {{ nodes: number, idleMs: number }} size */
export async function idling({ nodes, idleMs }) {
  const { called, before, end } = await crowd(nodes, 'process')
  await pause(SETTLE_MS)
  const there = await called.cost()
  const begun = performance.now()
  const counts = [await called.ask('peers')]
  await pause(idleMs)
  const after = await called.cost()
  const share = ((after.cpuMs - there.cpuMs) / (performance.now() - begun)) * 100
  counts.push(await called.ask('peers'))
  end()
  const kept = Math.min(...counts)
  const each = (after.rss - before.rss) / 2 ** 20 / kept
  const what = `idle peers of one node, of ${nodes} that came`
  return [
    row({ what: `${what}: how many it keeps`, unit: 'count', ours: [kept], goal: IDLE_PEERS_GOAL }),
    row({ what: `${what}: resident memory for each`, unit: 'MiB', ours: [each], goal: 1 }),
    row({ what: `${what}: all of them, of a core`, unit: '%', ours: [share], goal: 2 }),
  ]
}

/** Whether all that came by one link hear of a run. @param {{ nodes: number }} size */
export async function reaching({ nodes }) {
  const rows = []
  for (const [kind, words] of [
    ['process', 'nodes that listen'],
    ['tab', 'nodes that cannot be called, as tabs without WebRTC'],
  ]) {
    const { called, all, end } = await crowd(nodes, kind)
    await pause(SETTLE_MS)
    await called.ask('run')
    const until = performance.now() + REACH_MS_MAX
    let heard = 0
    while (heard < nodes && performance.now() < until) {
      await pause(LOOK_MS)
      heard = sum(await Promise.all(all.map((one) => one.ask('heard'))))
    }
    const { rss } = await called.cost()
    end()
    const what = `${nodes} ${words}, by the link of one`
    rows.push(
      row({ what: `${what}: how many hear of its run`, unit: 'count', ours: [heard], goal: nodes }),
      row({
        what: `${what}: resident memory of that one`,
        unit: 'MiB',
        ours: [rss / 2 ** 20],
        goal: RELAY_MIB_MAX,
      }),
    )
  }
  return rows
}
