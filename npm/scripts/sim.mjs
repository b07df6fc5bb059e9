#!/usr/bin/env node
// `npm run sim -- --scenario NAME --nodes N --seed S`: builds the simulator natively and runs it.
// `--help` says what it can do, `--list` which scenarios there are. Ends with the simulator's code:
// 1 when an invariant was broken, 2 when it was called wrongly.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { childEnvironment, ROOT } from './lib/paths.mjs'
import { run, say, start } from './lib/run.mjs'

const BUILD = ['build', '--locked', '--profile', 'sim', '--features', 'sim', '--example', 'sim']

await start(async () => {
  say('building the simulator (a minute the first time)')
  await run('cargo', BUILD, { show: process.argv.includes('--verbose') })
  const environment = { ...process.env, ...childEnvironment() }
  const binary = join(
    environment.CARGO_TARGET_DIR ?? join(ROOT, 'target'),
    'sim/examples',
    process.platform === 'win32' ? 'sim.exe' : 'sim',
  )
  const words = process.argv.slice(2).filter((word) => word !== '--verbose')
  const { status, error } = spawnSync(binary, words, { stdio: 'inherit' })
  if (error) throw error
  process.exitCode = status ?? 1
})
