#!/usr/bin/env node
/**
 * The command `synaptic-mesh`: checks the version of Node, answers `--version` at once, and loads
 * the rest only when there is something to do.
 */
import { readFileSync } from 'node:fs'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `error: synaptic-mesh needs Node 20.19 or later, this is ${process.versions.node}\n`,
  )
  process.exit(1)
}

const args = process.argv.slice(2)
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  process.stdout.write(`${JSON.parse(manifest).version}\n`)
} else {
  const { main } = await import('../lib/cli.js')
  await main(args)
}
