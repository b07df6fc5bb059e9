// The packed package in Node: imported, required, and as the README says.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { scratch } from '../packed.mjs'
import { dealDigits, example, LIGHT_CLIENT, LIGHT_CLIENT_TELLS } from './consume.mjs'

const TIMEOUT_MS = 120_000

/** Runs a program beside the installed package, and gives what it printed. */
async function run(folder, file, code) {
  writeFileSync(join(folder, file), code)
  const options = { cwd: folder, timeout: TIMEOUT_MS }
  return promisify(execFile)(process.execPath, [file], options)
}

test('the example of a network learns XOR', async () => {
  const { stdout, stderr } = await run(scratch('esm'), 'main.mjs', example('neural'))
  assert.match(stdout, /^1 bafk\w+\n$/)
  assert.equal(stderr, '')
})

test('both ways to the engine share it, and one file goes between them', async () => {
  const code = `
    const { Network } = require('synaptic-mesh/neural')
    const { loadNeural } = require('synaptic-mesh')
    Network.create({ layers: [2, 3, 1], seed: 5 }).then(async (network) => {
      const same = (await loadNeural()).Network.fromModel(network.save())
      console.log(same.weightsCid() === network.weightsCid())
    })`
  const { stdout, stderr } = await run(scratch('neural-cjs'), 'main.cjs', code)
  assert.equal(stdout, 'true\n')
  assert.equal(stderr, '')
})

test('a light client checks a proof without a node', async () => {
  const code = `${LIGHT_CLIENT}console.log(told)\n`
  const { stdout, stderr } = await run(scratch('light'), 'main.mjs', code)
  assert.equal(stdout, `${LIGHT_CLIENT_TELLS}\n`)
  assert.equal(stderr, '')
})

test('require gives the very same functions, without a warning', async () => {
  const code = `
    const api = require('synaptic-mesh')
    const path = require('node:path')
    import('synaptic-mesh').then((esm) => {
      const names = Object.keys(esm).sort()
      console.log(JSON.stringify({
        same: names.every((name) => name === 'default' || api[name] === esm[name]),
        names,
        wasm: path.basename(require.resolve('synaptic-mesh/mesh.wasm')),
        version: require('synaptic-mesh/package.json').version,
      }))
    })`
  const { stdout, stderr } = await run(scratch('cjs'), 'main.cjs', code)
  const { same, names, wasm, version } = JSON.parse(stdout)
  assert.ok(same)
  assert.deepEqual(names, [
    'RUN_DEFAULTS',
    'SynapticError',
    'createNode',
    'decodeJoinLink',
    'encodeJoinLink',
    'loadMesh',
    'loadNeural',
    'openHistory',
    'verifyProof',
  ])
  assert.equal(wasm, 'mesh_bg.wasm')
  assert.match(version, /^\d+\.\d+\.\d+$/)
  assert.equal(stderr, '')
})

test('the example of the README trains a run between two nodes and ends by itself', async () => {
  const folder = scratch('readme-node')
  for (const [member, rows] of dealDigits(2).entries()) {
    writeFileSync(join(folder, `digits-${member}.csv`), rows)
  }
  const { stdout } = await run(folder, 'main.mjs', example('node'))
  assert.deepEqual(stdout.trim().split('\n'), ['round 1 of 3', 'round 2 of 3', 'round 3 of 3'])
})

test('slim says what is missing, and works with a file', async () => {
  const code = `
    import { readFileSync } from 'node:fs'
    import { createRequire } from 'node:module'
    import { init, loadNeural } from 'synaptic-mesh/slim'
    const error = await loadNeural().catch((thrown) => thrown)
    init({ neural: new TextEncoder().encode('<!doctype html>') })
    const page = await loadNeural().catch((thrown) => thrown)
    const file = createRequire(import.meta.url).resolve('synaptic-mesh/neural.wasm')
    init({ neural: readFileSync(file) })
    const { weightsCid } = await loadNeural()
    console.log(JSON.stringify([error.code, error.hint, page.message, weightsCid(new Uint8Array(4))]))`
  const { stdout } = await run(scratch('slim'), 'main.mjs', code)
  const [missing, hint, page, cid] = JSON.parse(stdout)
  assert.equal(missing, 'wasm-unavailable')
  assert.match(hint, /init\(\{ neural/)
  assert.match(page, /not a WebAssembly module/)
  assert.match(cid, /^bafk/)
})
