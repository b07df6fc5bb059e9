#!/usr/bin/env node
// The neural engine, measured: alone by `npm run bench -- neural`, beside its peers by
// `npm run bench -- --peers`. Further words:
//
//   --native       candle and tract too, compiled first
//   --markdown     the table in Markdown
//   --only TEXT    only rows whose title contains the text
//   --rounds N     at most N of them
//   --check        compares outputs with an oracle and times nothing
//   --no-build     measures dist/ as it is
//
// Figures are microseconds of processor time or of the clock, whichever is smaller, as
// neural/contestant.mjs estimates them. A ratio is the peer's figure over ours: above 1 ours is
// faster, smaller or less. What disturbs one round disturbs both, so read ratios.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from '../npm/scripts/build.mjs'
import { ROOT } from '../npm/scripts/lib/paths.mjs'
import { start } from '../npm/scripts/lib/run.mjs'
import { setup } from '../npm/scripts/setup.mjs'
import { Bench } from './neural/bench.mjs'
import { tableOf } from './neural/table.mjs'
import { installPeers } from './peers/peers.mjs'

function options() {
  const yes = { type: 'boolean', default: false }
  const text = { type: 'string' }
  const { values } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ peers: yes, native: yes, markdown: yes, check: yes, 'no-build': yes },
      ...{ only: text, rounds: text },
    },
  })
  if (values.rounds === undefined) return values
  const rounds = Number(values.rounds)
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error('--rounds takes a whole number')
  return { ...values, rounds }
}

/** Where and when: without it a figure says nothing. */
function machine() {
  const git = ['rev-parse', '--short', 'HEAD']
  const commit = execFileSync('git', git, { cwd: ROOT, encoding: 'utf8' }).trim()
  const processor = `${cpus().length} x ${cpus()[0]?.model}`
  const load = `load ${loadavg()[0].toFixed(1)}`
  return [processor, `Node.js ${process.version}`, `commit ${commit}`, load].join(', ')
}

await start(async () => {
  const chosen = options()
  if (!chosen['no-build']) {
    await setup()
    await build()
  }
  const measured = chosen.peers || chosen.native
  const peers = measured ? await installPeers(chosen) : new Map()
  const folder = mkdtempSync(join(tmpdir(), 'synaptic-mesh-bench-'))
  const bench = new Bench(chosen, peers, folder)
  try {
    const about = machine()
    await bench.run()
    console.log(`${about}\n`)
    console.log(tableOf(bench.rows, chosen.markdown))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (bench.failed) process.exitCode = 1
})
