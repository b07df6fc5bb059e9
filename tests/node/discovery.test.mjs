// Members on one local network find each other with no configuration: three machines as network
// namespaces on a bridge. Needs root and iproute2, and is skipped without.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { data, PACKAGE, scratch, TestNode } from './cli.mjs'

const CLI = join(PACKAGE, 'bin', 'cli.mjs')
const PREFIX = `synaptic-${process.pid}-`
/** Much longer than the others take to find each other. */
const QUIET_MS = 6_000

const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] })
const space = (name) => `${PREFIX}${name}`

/** Namespaces on a bridge, which is in one of its own; why there are none, if so. */
function machines(names) {
  try {
    ip('netns', 'add', space('bridge'))
    ip('-n', space('bridge'), 'link', 'add', 'br0', 'type', 'bridge')
    ip('-n', space('bridge'), 'link', 'set', 'br0', 'up')
    names.forEach((name, at) => {
      const [inside, port] = [space(name), `port${at}`]
      ip('netns', 'add', inside)
      const ends = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', inside]
      ip('-n', space('bridge'), 'link', 'add', port, ...ends)
      ip('-n', space('bridge'), 'link', 'set', port, 'master', 'br0', 'up')
      ip('-n', inside, 'addr', 'add', `10.77.0.${at + 1}/24`, 'dev', 'eth0')
      for (const link of ['lo', 'eth0']) ip('-n', inside, 'link', 'set', link, 'up')
      ip('-n', inside, 'route', 'add', 'default', 'via', '10.77.0.254')
    })
    return undefined
  } catch (error) {
    return `no network namespaces on a bridge: ${String(error.stderr ?? error.message).trim()}`
  }
}

const NAMES = ['first', 'second', 'third']
const missing = machines(NAMES)
after(() => {
  for (const name of ['bridge', ...NAMES]) {
    try {
      ip('netns', 'del', space(name))
    } catch {
      // It was not made.
    }
  }
})
const options = { skip: missing ?? false }

/** A node on one of the machines; `settings` are set before it starts. */
async function node(machine, settings) {
  const place = scratch()
  await data(['init', '--home', place], { cwd: place })
  for (const [key, value] of Object.entries(settings)) {
    await data(['config', 'set', key, value, '--home', place], { cwd: place })
  }
  const command = ['ip', 'netns', 'exec', space(machine), process.execPath, CLI]
  return TestNode.start(place, ['--host', '0.0.0.0'], { command })
}

const met = (teller, other) =>
  teller.event('peer', ({ id, state }) => id === other.ready.nodeId && state === 'connected')

const quiet = () => new Promise((resolve) => setTimeout(resolve, QUIET_MS))
const peersOf = ({ events }) => events.filter(({ event }) => event === 'peer')

test(
  'two nodes of one network find each other, one of another network is left alone',
  options,
  async (t) => {
    const first = await node('first', {})
    const other = await node('third', {})
    const { network } = first.ready
    const begun = performance.now()
    const second = await node('second', { network })
    await Promise.all([met(first, second), met(second, first)])
    t.diagnostic(`${Math.round(performance.now() - begun)} ms from the start of the second`)
    await quiet()
    assert.deepEqual(peersOf(other), [])
    const warnings = [first, second, other].flatMap(({ events }) =>
      events.filter(({ event }) => event === 'warning'),
    )
    assert.deepEqual(warnings, [], 'nobody was called in vain')
    for (const one of [first, second, other]) await one.stop()
  },
)

test('with mdns off a node is not found', options, async () => {
  const first = await node('first', {})
  const { network } = first.ready
  const hidden = await node('second', { network, mdns: 'off' })
  await quiet()
  assert.deepEqual([...peersOf(first), ...peersOf(hidden)], [])
  for (const one of [first, hidden]) await one.stop()
})
