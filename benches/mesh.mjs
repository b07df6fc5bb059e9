#!/usr/bin/env node
// `npm run bench`: what the package costs, measured on this machine and printed as the table of
// docs/benchmarks.md. Each figure is the median of RUNS runs; the machine is not quiet, so read
// ratios and orders of magnitude, not digits.

import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { gzipSync } from 'node:zlib'
import { build } from '../npm/scripts/build.mjs'
import { ROOT } from '../npm/scripts/lib/paths.mjs'
import { setup } from '../npm/scripts/setup.mjs'
import { bytesOf } from './net/history.mjs'

const RUNS = 5
/** Rounds of the history whose verification is timed: some 300 vertices. */
const HISTORY_ROUNDS = 100
/** 596,490 parameters: each update is a blob of 2.3 MiB. */
const LARGE = [64, 1024, 512, 10]
const LARGE_ROUNDS = 8
const IDLE_MS = 10_000
const DIST = join(ROOT, 'dist')
const CLI = join(DIST, 'bin', 'cli.mjs')

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
const milliseconds = (value) => `${Math.round(value)} ms`
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(2)} MiB`

async function repeat(measure) {
  const values = []
  for (let run = 0; run < RUNS; run += 1) values.push(await measure())
  return median(values)
}

function sizes() {
  return ['neural', 'proof', 'mesh'].map((name) => {
    const bytes = readFileSync(join(DIST, 'wasm', `${name}_bg.wasm`))
    const packed = gzipSync(bytes, { level: 9 }).length
    return [
      `\`${name}\` artifact, raw and gzip`,
      `${mebibytes(bytes.length)}, ${mebibytes(packed)}`,
    ]
  })
}

function timed(args, home) {
  const started = performance.now()
  execFileSync(process.execPath, [CLI, ...args], { env: { ...process.env, SYNAPTIC_HOME: home } })
  return performance.now() - started
}

/** A node process, and how long it took until it said that it is ready. */
async function startProcess(home) {
  const started = performance.now()
  const args = [CLI, 'start', '--port', '0', '--dashboard-port', '0', '--json']
  const env = { ...process.env, SYNAPTIC_HOME: home }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface(child.stdout)) {
    const message = JSON.parse(line)
    if (message.event !== 'ready') continue
    const ended = new Promise((done) => child.once('exit', done))
    const stop = async () => {
      child.kill('SIGTERM')
      await ended
    }
    child.stdout.resume()
    return { ...message.data, pid: child.pid, stop, readyMs: performance.now() - started }
  }
  throw new Error('the node ended before it was ready')
}

/** Resident memory of a process in bytes, where the system tells it. */
function residentBytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

async function commandLine(home) {
  const rows = [
    ['`--version`', milliseconds(await repeat(() => timed(['--version'], home)))],
    [
      '`init --yes`, new home',
      milliseconds(await repeat(() => timed(['init', '--yes'], freshHome()))),
    ],
  ]
  timed(['init', '--yes'], home)
  const ready = await repeat(async () => {
    const node = await startProcess(home)
    await node.stop()
    return node.readyMs
  })
  rows.push(['`start` to ready', milliseconds(ready)])
  return rows
}

async function tab(home, executablePath) {
  const node = await startProcess(home)
  await new Promise((done) => setTimeout(done, IDLE_MS))
  const rss = mebibytes(residentBytes(node.pid))
  const args = ['--no-sandbox', '--disable-quic', '--disable-background-networking']
  const joined = await repeat(async () => {
    const { chromium } = await import('playwright-core')
    const browser = await chromium.launch({ executablePath, args })
    const page = await browser.newPage()
    const started = performance.now()
    await page.goto(node.join)
    await page.waitForSelector('[data-state="joined"]', { state: 'attached' })
    const took = performance.now() - started
    await browser.close()
    return took
  })
  await node.stop()
  return [
    ['tab: link opened to joined, cold browser', milliseconds(joined)],
    ['node process, idle for 10 s, resident', rss],
  ]
}

async function finished(node, run) {
  for await (const event of node.events()) {
    if (event.type === 'run' && event.name === run && event.state === 'finished') return
  }
}

/** A run of one member in memory, to its end. */
async function alone(createNode, name, layers, rounds) {
  const node = await createNode({ storage: 'memory' })
  const data = readFileSync(join(DIST, 'data', 'digits.csv'))
  const rows = Buffer.from(data.toString().split('\n').slice(0, 200).join('\n'))
  const end = finished(node, name)
  await node.startRun({ name, data: rows, layers, rounds, epochs: 1, quorum: 1, updatesMin: 1 })
  await end
  return node
}

async function history({ createNode, loadMesh }) {
  const node = await alone(createNode, 'history', [64, 4, 10], HISTORY_ROUNDS)
  const car = await node.exportRun('history')
  const { vertices } = await node.status()
  const { verifyRun } = await loadMesh()
  const took = await repeat(() => {
    const started = performance.now()
    if (!verifyRun(car).ok) throw new Error('the exported history does not verify')
    return performance.now() - started
  })
  await node.stop()
  return [['wasm: vertices verified by `verifyRun`, one core', perSecond(vertices, took)]]
}

/** What a light client costs: no node, no history, and no network. */
async function lightClient() {
  const folder = mkdtempSync(join(tmpdir(), 'synaptic-mesh-proof-'))
  const args = ['bench', '--bench', 'finality', '--', 'proof', folder]
  execFileSync('cargo', args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
  const [genesis, proof] = ['genesis', 'proof'].map((name) => readFileSync(join(folder, name)))
  rmSync(folder, { recursive: true })
  const { verifyProof } = await import(join(DIST, 'proof-node.mjs'))
  const took = await repeat(async () => {
    const started = performance.now()
    await verifyProof(genesis, proof)
    return performance.now() - started
  })
  const size = `${Math.round(proof.length / 1_000)} kB`
  return [[`wasm: a proof of 10 epochs, 7 members (${size}) verified`, `${took.toFixed(1)} ms`]]
}

const perSecond = (count, ms) =>
  `${Math.round((count / ms) * 1000).toLocaleString('en')} per second`

async function blobs({ createNode }) {
  const founder = await alone(createNode, 'large', LARGE, LARGE_ROUNDS)
  const started = performance.now()
  const late = await createNode({ storage: 'memory', join: founder.joinLink })
  await finished(late, 'large')
  const seconds = (performance.now() - started) / 1000
  // What it has computed is stored beside what came.
  const bytes = bytesOf(LARGE_ROUNDS, LARGE)
  await Promise.all([late.stop(), founder.stop()])
  const rate = `${(bytes / 1e6 / seconds).toFixed(1)} MB/s (${mebibytes(bytes)})`
  return [['late joiner: blobs fetched, verified and averaged again', rate]]
}

function natively() {
  const output = execFileSync('cargo', ['bench', '--bench', 'verify'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return output.trim().split('\n').slice(-6)
}

const homes = []
function freshHome() {
  const home = mkdtempSync(join(tmpdir(), 'synaptic-mesh-bench-'))
  homes.push(home)
  return home
}

const { chromium: executablePath } = await setup({ chromium: 'required' })
await build()
const library = await import(join(DIST, 'node.mjs'))
try {
  const home = freshHome()
  const rows = [
    ...sizes(),
    ...(await commandLine(home)),
    ...(await tab(home, executablePath)),
    ...(await history(library)),
    ...(await lightClient()),
    ...(await blobs(library)),
  ]
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  console.log(
    `${cpus().length} x ${cpus()[0]?.model}, Node.js ${process.version}, commit ${commit}`,
  )
  console.log('| what | median |\n|---|---|')
  for (const [what, figure] of rows) console.log(`| ${what} | ${figure} |`)
  console.log(`\nnatively, \`cargo bench --bench verify\`:\n${natively().join('\n')}`)
} finally {
  for (const home of homes) rmSync(home, { recursive: true, force: true })
}
