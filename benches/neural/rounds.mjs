// The measuring itself. Every figure of a peer is taken between two of ours, so that both meet the
// same load of the machine; a ratio is made in each round, and the median of these is told.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CONTESTANT, Engine } from './process.mjs'
import { relativeError } from './reference.mjs'

const WINDOW_MS = 200
/** Single precision in another order of summation stays a hundred times below. */
const RELATIVE_ERROR_MAX = 1e-5

export const median = (values) =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]

/** Starts an engine, hands it a folder and refuses wrong outputs. The caller stops it. */
export async function start({ command, silent }, folder, expected) {
  const engine = new Engine(command)
  try {
    await engine.ask('prepare', folder)
    const error = silent ? 0 : outputError(folder, expected)
    if (error <= RELATIVE_ERROR_MAX) return { engine, error }
    throw new Error(`its outputs are wrong: relative error ${error.toExponential(1)}`)
  } catch (thrown) {
    engine.stop()
    throw thrown
  }
}

function outputError(folder, expected) {
  const bytes = readFileSync(join(folder, 'outputs.f32'))
  const found = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
  return relativeError(new Float32Array(found), expected)
}

/** Ours alone, round by round. */
export async function alone(ours, { what, rounds }) {
  const figures = []
  for (let round = 0; round < rounds; round += 1) figures.push(await measured(ours, what))
  return figures
}

/**
 * Ours and a peer in turn, after a round that does not count: V8 takes tens of thousands of calls
 * until it has optimised onnxruntime-web's JS, which then is three times as fast.
 */
export async function beside(ours, peer, { what, rounds }) {
  await measured(peer, what)
  const pairs = []
  for (let round = 0; round < rounds; round += 1)
    pairs.push({ ours: await measured(ours, what), theirs: await measured(peer, what) })
  return pairs
}

const measured = async (engine, what) => Number(await engine.ask('measure', what, WINDOW_MS))

/** Bytes and microseconds for each of `count` networks, in a process that does nothing else. */
export async function idle({ command }, folder, count) {
  const engine = new Engine(command)
  try {
    const [bytes, microseconds] = (await engine.ask('idle', folder, count)).split(' ')
    return { bytes: Number(bytes), microseconds: Number(microseconds) }
  } finally {
    engine.stop()
  }
}

/** Microseconds of processor time of a whole process; without an engine, those of bare Node. */
export function cold(contestant, folder) {
  const module = contestant ? contestant.command.slice(3) : []
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [CONTESTANT, '--cold', folder, ...module],
    { encoding: 'utf8' },
  )
  const microseconds = Number(stdout.trim().split('\n').at(-1) || Number.NaN)
  if (Number.isNaN(microseconds)) throw new Error(stderr.trim().split('\n').slice(-3).join(' '))
  return microseconds
}

/** Median, smallest and largest of `theirs / ours`. */
export function ratioOf(pairs) {
  const ratios = pairs.map(({ ours, theirs }) => theirs / ours)
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) }
}
