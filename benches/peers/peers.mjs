// The engines measured beside ours: how each comes onto the machine, and how it is started.
//
// What is not there is not a failure: `missing` says what would bring it, and the row repeats it.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CACHE } from '../../npm/scripts/lib/paths.mjs'
import { ask, npm, run, say } from '../../npm/scripts/lib/run.mjs'
import { aptInstall } from '../../npm/scripts/setup.mjs'
import { inNode } from '../neural/process.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const MADE = join(CACHE, 'peers')
const NUMPY = 'numpy==2.4.6'

const tensorflow = (path) => join('@tensorflow', path)

/** What a page downloads to use it. */
const DOWNLOADS = {
  'onnxruntime-web': [
    'onnxruntime-web/dist/ort.wasm.min.mjs',
    'onnxruntime-web/dist/ort-wasm-simd-threaded.mjs',
    'onnxruntime-web/dist/ort-wasm-simd-threaded.wasm',
  ],
  'tfjs-wasm': [
    tensorflow('tfjs/dist/tf.min.js'),
    tensorflow('tfjs-backend-wasm/dist/tf-backend-wasm.min.js'),
    tensorflow('tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm'),
  ],
  'brain.js': ['brain.js/browser.min.js'],
}

/** Paths of what is downloaded, by engine. */
export const downloads = () =>
  Object.entries(DOWNLOADS).map(([name, files]) => ({
    name,
    files: files.map((file) => join(HERE, 'node_modules', file)),
  }))

/**
 * Brings every peer onto the machine that can be had.
 * @param {{ native: boolean }} options whether candle and tract are compiled, which takes minutes
 * @returns {Promise<Map<string, { command?: string[], missing?: string }>>}
 */
export async function installPeers({ native }) {
  await installPackages()
  const fann = await buildFann()
  const python = await findPython()
  const compiled = native ? await buildNative() : null
  const withArgument = ({ command, missing }, word) =>
    missing ? { missing } : { command: [...command, word] }
  return new Map([
    ['onnxruntime-web', { command: inNode('../peers/ort.mjs') }],
    ['tfjs-wasm', { command: inNode('../peers/tfjs.mjs', 'wasm') }],
    ['tfjs-wasm, matMul by hand', { command: inNode('../peers/tfjs.mjs', 'matmul') }],
    ['tfjs-cpu', { command: inNode('../peers/tfjs.mjs', 'cpu') }],
    ['brain.js', { command: inNode('../peers/brain.mjs') }],
    ['libfann', fann],
    ['numpy', withArgument(python.numpy, 'numpy')],
    ['PyTorch', withArgument(python.torch, 'torch')],
    ...(compiled ? ['candle', 'tract'].map((name) => [name, withArgument(compiled, name)]) : []),
  ])
}

/** No install scripts: one of brain.js's dependencies would compile a graphics library. */
async function installPackages() {
  const lock = readFileSync(join(HERE, 'package-lock.json'))
  const digest = createHash('sha256').update(lock).digest('hex')
  const stamp = join(HERE, 'node_modules', '.installed-from')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  say('bench: npm ci in benches/peers (onnxruntime-web, TensorFlow.js, brain.js: 460 MB)')
  await npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: HERE })
  writeFileSync(stamp, digest)
}

async function buildFann() {
  const missing = 'needs a C compiler and libfann: apt-get install gcc libfann-dev'
  mkdirSync(MADE, { recursive: true })
  const program = join(MADE, 'fann')
  const args = ['-O2', '-o', program, join(HERE, 'fann.c'), '-lfloatfann', '-lm']
  const compile = () => run('cc', args).catch(() => null)
  if (await compile()) return { command: [program] }
  const installed = await aptInstall(['libfann-dev'], 'libfann is measured').catch(() => false)
  return installed && (await compile()) ? { command: [program] } : { missing }
}

/** The Python that `PEERS_PYTHON` names, else a venv, which sees a PyTorch of the system. */
async function findPython() {
  const python = process.env.PEERS_PYTHON || (await makeVenv())
  const script = join(HERE, 'python_peers.py')
  const module = (name, how) => {
    const found = python && ask(python, ['-c', `import ${name}; print(${name}.__version__)`])
    return found ? { command: [python, script] } : { missing: how }
  }
  return {
    numpy: module('numpy', `needs python3 with venv and pip, for ${NUMPY}`),
    torch: module('torch', 'needs PyTorch: PEERS_PYTHON=/path/to/python with torch and numpy'),
  }
}

async function makeVenv() {
  const folder = join(MADE, 'python')
  const python = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
  if (existsSync(python) && ask(python, ['-c', 'import numpy; print(1)'])) return python
  say(`bench: a Python environment with ${NUMPY} in ${folder}`)
  try {
    await run('python3', ['-m', 'venv', '--system-site-packages', folder])
    await run(python, ['-m', 'pip', 'install', '--quiet', NUMPY])
    return python
  } catch {
    return null
  }
}

async function buildNative() {
  say('bench: candle and tract, compiled natively (minutes)')
  const target = join(MADE, 'target')
  const args = ['build', '--release', '--manifest-path', join(HERE, 'native', 'Cargo.toml')]
  try {
    await run('cargo', args, { env: { CARGO_TARGET_DIR: target } })
    return { command: [join(target, 'release', 'synaptic-mesh-peers')] }
  } catch (error) {
    return { missing: `does not compile: ${error.message.trim().split('\n').at(-1)}` }
  }
}
