#!/usr/bin/env node
// `npm run bench:net`: what the network costs, on loopback, beside js-libp2p where it does the same
// thing. Printed as a table for docs/benchmarks.md. With SYNAPTIC_PACKAGE nothing is built. Words:
//
//   --quick        one turn of each, and few of everything: whether it all works
//   --only TEXT    only parts whose name contains the text
//
// Ours, js-libp2p's, ours, ... take turns; a ratio says how many times better ours was in a turn.
// What disturbs one disturbs both, so read ratios.

import { execFileSync } from 'node:child_process'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from '../npm/scripts/build.mjs'
import { ROOT } from '../npm/scripts/lib/paths.mjs'
import { setup } from '../npm/scripts/setup.mjs'
import { bulk } from './net/bulk.mjs'
import { connecting, handshaking } from './net/connecting.mjs'
import { idling, reaching } from './net/crowd.mjs'
import { HEAD, lines } from './net/figures.mjs'
import { gossip } from './net/gossip.mjs'
import { built, DIST, endAll, NODE } from './net/processes.mjs'
import { joining, meeting, telling } from './net/tabs.mjs'

const FULL = {
  ...{ turns: 3, dials: 8, pairs: 4, tabs: 5, rounds: 16, messages: 1_000, seconds: 5 },
  ...{ idle: { nodes: 100, idleMs: 15_000 }, reached: { nodes: 200 } },
}
const QUICK = {
  ...{ turns: 1, dials: 2, pairs: 1, tabs: 1, rounds: 2, messages: 50, seconds: 1 },
  ...{ idle: { nodes: 5, idleMs: 2_000 }, reached: { nodes: 10 } },
}

/** What is measured, by name and in this order. */
const PARTS = {
  connecting: ({ size }) => connecting(size),
  handshaking: ({ size }) => handshaking(size),
  'bulk-node': ({ size, launch }) => bulk('node', launch, size),
  'bulk-tab': ({ size, launch }) => bulk('tab', launch, size),
  'bulk-tabs': ({ size, launch }) => bulk('tabs', launch, size),
  gossip: ({ size }) => gossip(size),
  telling: ({ size, library }) => telling(library, size),
  joining: ({ size, launch }) => joining(launch, size),
  meeting: ({ size, launch }) => meeting(launch, size),
  idling: ({ size }) => idling(size.idle),
  reaching: ({ size }) => reaching(size.reached),
}

/** Where and when: without it a figure says nothing. */
function machine() {
  const git = ['rev-parse', '--short', 'HEAD']
  const commit = execFileSync('git', git, { cwd: ROOT, encoding: 'utf8' }).trim()
  const version = execFileSync(NODE, ['--version'], { encoding: 'utf8' }).trim()
  const processor = `${cpus().length} x ${cpus()[0]?.model}, load ${loadavg()[0].toFixed(1)}`
  const programs = `processes in Node.js ${version}, tabs' nodes in ${process.version}`
  return [processor, `commit ${commit}`, programs].join(', ')
}

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
})
const chosen = Object.keys(PARTS).filter((name) => name.includes(values.only))
if (chosen.length === 0) throw new Error(`--only takes a part of ${Object.keys(PARTS).join(', ')}`)
const { chromium: executablePath } = await setup({ check: true, chromium: 'required' })
if (built === undefined) await build()
const library = await import(pathToFileURL(join(DIST, 'node.mjs')).href)
const { chromium } = await import('playwright-core')
const browsers = []
const launch = async () => {
  browsers.push(await chromium.launch({ executablePath, args: ['--no-sandbox'] }))
  return browsers.at(-1)
}
console.log(lines([HEAD, HEAD.map(() => '---')]))
for (const name of chosen) {
  // What fails is said, and keeps nobody from the rest.
  try {
    const size = values.quick ? QUICK : FULL
    console.log(lines(await PARTS[name]({ size, launch, library })))
  } catch (error) {
    console.log(lines([[`${name} failed: ${error.message.split('\n')[0]}`, '', '', '', '']]))
    process.exitCode = 1
    endAll()
    await Promise.all(browsers.splice(0).map((browser) => browser.close()))
  }
}
console.log(`\n${machine()}`)
process.exit()
