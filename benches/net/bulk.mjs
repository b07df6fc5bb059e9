/**
 * Bytes in bulk: the updates of a run, fetched because they are asked for, beside as many bytes
 * over a stream of js-libp2p. Ours are also checked and averaged again, because there is no way
 * round it.
 */

import { row } from './figures.mjs'
import { bytesOf } from './history.mjs'
import { Process, turns } from './processes.mjs'
import { site } from './site.mjs'

const rate = (bytes, ms) => bytes / 1_000 / ms

/** Between two processes. */
async function between(program, rounds) {
  const holder = new Process(program, 'hold', rounds)
  const { join, address } = await holder.next()
  const fetcher = new Process(program, 'fetch', join ?? address, bytesOf(rounds))
  const { ms } = await fetcher.next()
  holder.end()
  fetcher.end()
  return rate(bytesOf(rounds), ms)
}

/** From a process to a tab. */
async function toTab(program, rounds, browser, pages) {
  const holder = new Process(program, 'hold', rounds)
  const { join, address } = await holder.next()
  const [tab] = await pages.open(browser, program, 1)
  const ms =
    program === 'ours'
      ? await tab((link) => globalThis.tab.fetchFrom(link), join)
      : await tab((given) => globalThis.tab.fetchFrom(...given), [address, bytesOf(rounds)])
  await tab.close()
  holder.end()
  return rate(bytesOf(rounds), ms)
}

/** From one tab to another, which have met through a process and have a direct way. */
async function betweenTabs(program, rounds, browser, pages) {
  const isOurs = program === 'ours'
  const relay = isOurs ? new Process(program, 'listen') : new Process(program, 'hold')
  const { join, address } = await relay.next()
  const [holder, fetcher] = await pages.open(browser, program, 2)
  const held = await holder(
    ([at, count]) => globalThis.tab.hold(at, count),
    [join ?? address, rounds],
  )
  const ms = await fetcher(
    (given) => globalThis.tab.fetchDirectly(...given),
    isOurs ? [join] : [held, bytesOf(rounds)],
  )
  await holder.close()
  await fetcher.close()
  relay.end()
  return rate(bytesOf(rounds), ms)
}

const WAYS = {
  node: { words: 'Node to Node by WebSocket', goal: 60, measure: between },
  tab: { words: 'Node to tab by WebSocket', goal: 40, measure: toTab },
  tabs: { words: 'tab to tab by WebRTC', goal: 15, measure: betweenTabs },
}

/** The row of one way. @param {{ turns: number, rounds: number }} size */
export async function bulk(way, launch, { turns: count, rounds }) {
  const { words, goal, measure } = WAYS[way]
  const pages = await site()
  const browser = await launch()
  const { ours, js } = await turns(count, (program) => measure(program, rounds, browser, pages))
  await browser.close()
  pages.close()
  const size = Math.round(bytesOf(rounds) / 1e6)
  const done = 'of a run fetched, checked and averaged again; theirs: of a stream'
  const what = `${words}: ${size} MB ${done}`
  return [row({ what, unit: 'MB/s', ours, theirs: js, goal, beats: true })]
}
