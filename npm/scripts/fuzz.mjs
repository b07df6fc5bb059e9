#!/usr/bin/env node
// `npm run fuzz -- TARGET [SECONDS]`: searches for an input that breaks a target, until stopped.
// Without a target it lists them. Needs cargo-fuzz and a nightly compiler, and says so.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './lib/paths.mjs'
import { ask, Missing, run, say, start } from './lib/run.mjs'

await start(async () => {
  const targets = readdirSync(join(ROOT, 'fuzz/fuzz_targets')).map((name) =>
    name.replace('.rs', ''),
  )
  const [target, seconds] = process.argv.slice(2)
  if (!targets.includes(target)) {
    say(
      `npm run fuzz -- TARGET [SECONDS], where TARGET is one of\n  ${targets.sort().join('\n  ')}`,
    )
    process.exitCode = target ? 1 : 0
    return
  }
  if (!ask('rustc', ['+nightly', '--version'])) {
    throw new Missing('a nightly compiler', 'rustup toolchain install nightly --profile minimal')
  }
  if (!ask('cargo', ['fuzz', '--version'])) {
    throw new Missing('cargo-fuzz', 'cargo install cargo-fuzz --locked')
  }
  const limit = seconds ? ['--', `-max_total_time=${seconds}`] : []
  await run('cargo', ['+nightly', 'fuzz', 'run', target, ...limit], { show: true })
})
