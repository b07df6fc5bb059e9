// The core with its test exports (feature `conformance`), built when its sources changed.
//
// The published artifact has none of them: how a store behaves, and how an instance dies, must be
// provoked from inside.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { childEnvironment, ROOT } from '../../npm/scripts/lib/paths.mjs'

const OUT = join(ROOT, 'pkg', 'conformance')

/** Runs a build step; its output is shown only when it fails. */
function step(command, args) {
  const options = { cwd: ROOT, env: childEnvironment(), maxBuffer: 1 << 28 }
  return execFileSync(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] }).toString()
}

/** Builds the module and returns the path of its glue. */
function build() {
  const target = ['--target', 'wasm32-unknown-unknown']
  const flags = ['--lib', '--features', 'conformance', '--message-format', 'json']
  const artifacts = step('cargo', ['build', '--locked', ...target, ...flags])
    .split('\n')
    .filter((line) => line.includes('"compiler-artifact"'))
    .map((line) => JSON.parse(line))
  const wasm = artifacts
    .flatMap((artifact) => artifact.filenames)
    .find((name) => name.endsWith('synaptic_mesh.wasm'))
  if (wasm === undefined) throw new Error('cargo built no synaptic_mesh.wasm')
  mkdirSync(OUT, { recursive: true })
  writeFileSync(join(OUT, 'package.json'), '{ "type": "module" }\n')
  step('wasm-bindgen', ['--target', 'web', '--out-dir', OUT, wasm])
  return join(OUT, 'synaptic_mesh.js')
}

let built

/**
 * A fresh instance of the core: one that was killed is of no more use. The glue is a module with
 * one instance in it, so that each call loads it under another name.
 */
export async function loadCore() {
  built ??= build()
  const core = await import(`${built}?${performance.now()}`)
  core.initSync({ module: readFileSync(built.replace('.js', '_bg.wasm')) })
  return core
}
