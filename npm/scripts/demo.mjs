#!/usr/bin/env node
// `npm run demo`: set-up, build, then the demo of the packed command line with the same arguments.
// `npm run demo -- --members 4 --json` prints one JSON document on stdout and nothing else there.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { build } from './build.mjs'
import { childEnvironment, DIST } from './lib/paths.mjs'
import { endOf, start } from './lib/run.mjs'
import { setup } from './setup.mjs'

await start(async () => {
  const { chromium } = await setup({ chromium: 'wanted' })
  await build()
  const cli = join(DIST, 'bin', 'cli.mjs')
  const child = spawn(process.execPath, [cli, 'demo', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...childEnvironment(), ...(chromium ? { CHROMIUM: chromium } : {}) },
  })
  process.exitCode = await endOf(child)
})
