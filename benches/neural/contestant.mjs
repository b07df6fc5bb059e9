#!/usr/bin/env node
// One engine in a process of its own: `contestant.mjs MODULE [VARIANT]`. Whoever measures writes
// commands on its stdin and reads one line for each; fann.c, python_peers.py and native/ speak the
// same. Replies begin with `ok`, `no` (it cannot do that) or `error`.
//
//   prepare FOLDER        loads the network of the folder, writes its outputs to `outputs.f32`
//   measure WHAT MS       microseconds per call of `run`, `epoch` or what else a network has, from
//                         calls during MS milliseconds
//   accuracy SEED EPOCHS  trains anew; the share of the test rows that it then tells right
//   idle FOLDER COUNT     bytes of memory and microseconds for each of COUNT networks
//
// `contestant.mjs --cold FOLDER [MODULE [VARIANT]]` prints the processor time in microseconds that
// the process took to load the engine and run once; without a module, that of Node alone.
//
// A module exports `open(variant)`, which resolves to an object with `load(folder)` and perhaps
// `create(network)`; networks have `run()`, `outputs()` and perhaps `epoch()`, `restart(seed)`,
// `accuracy()`. Any may be asynchronous. `Cannot` says what an engine cannot do.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cannot } from './cannot.mjs'

const WARM_UP_MS = 100
/** A sample is as many calls as take this long: far above the clock's grain, below a time slice. */
const SAMPLE_MS = 1
const WARM_NETWORKS = 8

/** What an engine is given: the files of a folder written by networks.mjs. */
function readFolder(folder) {
  const floats = (name) => {
    const bytes = readFileSync(join(folder, name))
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  }
  const labels = (name) => new Uint32Array(floats(name).buffer)
  const part = (name) => ({ values: floats(`${name}.f32`), labels: labels(`${name}.u32`) })
  return {
    ...JSON.parse(readFileSync(join(folder, 'network.json'), 'utf8')),
    weights: floats('weights.f32'),
    numbers: floats('inputs.f32'),
    file: (name) => readFileSync(join(folder, name)),
    path: (name) => join(folder, name),
    training: () => part('training'),
    test: () => part('test'),
  }
}

const cpuMicroseconds = () => {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Waits only where there is something to wait for: a needless `await` costs as much as a call. */
async function repeat(call, times) {
  for (let left = times; left > 0; left -= 1) {
    const pending = call()
    if (typeof pending?.then === 'function') await pending
  }
}

async function sample(call, times) {
  const [cpu, wall] = [cpuMicroseconds(), performance.now()]
  await repeat(call, times)
  const wallMs = performance.now() - wall
  return { cpu: (cpuMicroseconds() - cpu) / times, wall: (wallMs * 1000) / times, wallMs }
}

/**
 * The smaller of two estimates that other load disturbs little: the 10th percentile of the
 * processor time per call, and the shortest time on the clock.
 */
async function measure(call, windowMs) {
  const warm = performance.now() + WARM_UP_MS
  do await repeat(call, 1)
  while (performance.now() < warm)
  let times = 1
  while ((await sample(call, times)).wallMs < SAMPLE_MS) times *= 2
  const samples = []
  const end = performance.now() + windowMs
  do samples.push(await sample(call, times))
  while (performance.now() < end)
  const cpu = samples.map((one) => one.cpu).toSorted((a, b) => a - b)
  return Math.min(cpu[Math.floor(cpu.length / 10)], ...samples.map((one) => one.wall))
}

const commands = {
  async prepare(state, path) {
    const folder = readFolder(path)
    Object.assign(state, { folder, network: await state.engine.load(folder) })
    writeFileSync(join(path, 'outputs.f32'), await state.network.outputs())
    return ''
  },

  async measure({ network }, what, windowMs) {
    if (!network[what]) throw new Cannot(`it has no ${what}`)
    // From the same start each time: late epochs have smaller numbers.
    if (what === 'epoch') await network.restart(1)
    return measure(() => network[what](), Number(windowMs))
  },

  async accuracy({ network }, seed, epochs) {
    await network.restart(Number(seed))
    await repeat(() => network.epoch(), Number(epochs))
    return network.accuracy()
  },

  async idle({ engine }, path, count) {
    if (!engine.create) throw new Cannot('it creates no networks one by one')
    const folder = readFolder(path)
    const networks = []
    const add = async () => networks.push(await engine.create(folder))
    await repeat(add, WARM_NETWORKS)
    for (const network of networks) await network.run()
    globalThis.gc?.()
    const before = process.memoryUsage().rss
    const cpu = cpuMicroseconds()
    await repeat(add, Number(count))
    const each = (cpuMicroseconds() - cpu) / Number(count)
    for (const network of networks.slice(WARM_NETWORKS)) await network.run()
    globalThis.gc?.()
    return `${(process.memoryUsage().rss - before) / Number(count)} ${each}`
  },
}

async function answer(line, state) {
  const [command, ...words] = line.split(' ')
  try {
    return `ok ${await commands[command](state, ...words)}`
  } catch (thrown) {
    const word = thrown instanceof Cannot ? 'no' : 'error'
    return `${word} ${String(thrown?.message ?? thrown).replaceAll('\n', ' ')}`
  }
}

async function serve(module, variant) {
  const { createInterface } = await import('node:readline')
  // The line is ours: what an engine logs goes elsewhere.
  console.log = console.error
  const { open } = await import(module)
  const state = { engine: await open(variant) }
  for await (const line of createInterface(process.stdin))
    process.stdout.write(`${await answer(line, state)}\n`)
}

async function cold(path, module, variant) {
  const folder = readFolder(path)
  if (module) {
    console.log = console.error
    const { open } = await import(module)
    const network = await (await open(variant)).load(folder)
    await network.run()
  }
  process.stdout.write(`${cpuMicroseconds()}\n`)
}

const [first, ...rest] = process.argv.slice(2)
if (first === '--cold') await cold(...rest)
else await serve(first, ...rest)
process.exit(0)
