// Kills an instance of the core and prints, as JSON, what everyone got from it. A program of its
// own, because a trap is an uncaught exception, which a test runner takes for its own.
//
// usage: node dying.mjs testPanic|testTrap

import { loadCore } from './core.mjs'

const silent = { dial: () => ({ setHandlers() {}, send: () => true, close() {} }) }
const uncaught = []
process.on('uncaughtException', (error) => uncaught.push(String(error)))

/** A node that listens to nobody, on an instance of its own. */
async function alone() {
  const core = await loadCore()
  const node = await core.MeshNode.create({
    network: core.generateNetworkId(),
    secrets: core.generateSecrets(),
    storage: { kind: 'memory' },
    host: silent,
  })
  while ((await node.nextEvent()).type !== 'ready');
  return { core, node }
}

/** The name of the call, and how it ended. */
async function outcome(name, call) {
  try {
    await call()
    return { name }
  } catch ({ code, message, hint, cause }) {
    return { name, code, message, hint, cause }
  }
}

const [{ core, node }, other] = await Promise.all([alone(), alone()])
const waiting = outcome('nextEvent, waiting', () => node.nextEvent())
core[process.argv[2]]()
const outcomes = [
  await waiting,
  await outcome('status', () => node.status()),
  await outcome('nextEvent', () => node.nextEvent()),
  await outcome('runs', () => node.runs()),
  await outcome('dial', () => node.dial('/ip4/127.0.0.1/tcp/1/ws')),
  await outcome('joinRun', () => node.joinRun('any', { samples: 1 })),
  await outcome('exportRun', () => node.exportRun('any')),
  await outcome('stop', () => node.stop()),
  await outcome('trained', () => node.trained(1, { error: 'none' })),
  await outcome('generateSecrets', () => core.generateSecrets()),
  await outcome('create', () => core.MeshNode.create({})),
]
const { running } = await other.node.status()
await other.node.stop()
console.log(JSON.stringify({ outcomes, uncaught, otherRunning: running }))
