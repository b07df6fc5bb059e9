/** What the tests of faults have in common: the limits of the protocol, and what nodes know. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DIGITS, scratch, until } from '../node/cli.mjs'

const LIMITS = readFileSync(fileURLToPath(new URL('../../docs/limits.md', import.meta.url)), 'utf8')

/** A limit as docs/limits.md, which is generated from the code, has it. */
export function limit(name) {
  const [, value] = new RegExp(`^\\| \`${name}\` \\| \`([^\`]+)\` \\|`, 'm').exec(LIMITS) ?? []
  assert.match(value ?? '', /^[\d_ *+<]+$/, `${name} is a number in docs/limits.md`)
  return Number(new Function(`return ${value}`)())
}

/** A vanished peer is off every list by then, in milliseconds: half a second is the machine's. */
export const GONE_MS_MAX = limit('SILENCE_MS_MAX') + limit('HEARTBEAT_LOOK_MS') + 1_000
/**
 * Who was missed is back by then after the network is: a call that was under way may have to fail
 * first, and the next comes after a wait that is jittered by a quarter.
 */
export const BACK_MS_MAX = limit('CONNECT_TIMEOUT_MS') + 1.25 * limit('DIAL_MISSED_MS_MAX') + 1_000

/** Some rows of the digits as a file. */
export function rows(count) {
  const file = join(scratch(), 'rows.csv')
  writeFileSync(file, readFileSync(DIGITS, 'utf8').split('\n').slice(0, count).join('\n'))
  return file
}

const SOME_ROWS = rows(20)

/** How many events a node has told so far. */
export const said = ({ events }) => events.length

/** When a node tells a change of a peer, of those after the first `from` events. */
export async function changed(teller, peer, state, from = 0) {
  const { nodeId } = peer.ready
  const fits = ({ event, data }) => event === 'peer' && data.id === nodeId && data.state === state
  await teller.event('peer', (data) =>
    teller.events.slice(from).some((one) => one.data === data && fits(one)),
  )
  return performance.now()
}

/** Waits until each of the nodes is connected with each. */
export async function together(...nodes) {
  for (const one of nodes) {
    for (const other of nodes) if (other !== one) await changed(one, other, 'connected')
  }
}

/** A change of a node's history that all members hear of: the id of a run that waits for others. */
export async function write(node, name) {
  const shape = { layers: [64, 4, 10], rounds: 1, updatesMin: 9, deadlineMs: 600_000 }
  const { run } = await node.api('run.start', { name, data: SOME_ROWS, ...shape })
  return run
}

/** Whether a node knows all of these runs. */
export async function knows(node, ...runs) {
  const known = new Set((await node.api('run.list')).map(({ run }) => run))
  return runs.every((run) => known.has(run))
}

/** How long it takes until a node knows all of these runs, in milliseconds. */
export async function learns(node, runs, withinMs) {
  const begun = performance.now()
  const what = `${node.machine ?? 'a node'} learns of ${runs.length} runs`
  await until(() => knows(node, ...runs), what, withinMs)
  return Math.round(performance.now() - begun)
}

/** Bytes of memory that a process holds. */
export function residentBytes({ pid }) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024
}

/** Waits for a time in which something must not happen. */
export const quiet = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
