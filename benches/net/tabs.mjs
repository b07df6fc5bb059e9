/** What opens the dashboard waits for, and how soon two tabs meet. Ours alone. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { quantile, row } from './figures.mjs'
import { DIST, tracked } from './processes.mjs'

/** Two members, of whom one follows so many runs of the other at a time. */
const RUNS_FOLLOWED = 7
const TAB_MS_MAX = 60_000

/** Some rows of the digits. */
const digits = (count) =>
  readFileSync(join(DIST, 'data', 'digits.csv'), 'utf8')
    .split('\n')
    .slice(0, count)
    .join('\n')

/** From the call that writes a vertex to the event of the other member, in one process. */
export async function telling({ createNode }, { pairs }) {
  const times = []
  for (let pair = 0; pair < pairs; pair += 1) times.push(...(await told(createNode)))
  const what = `a vertex: from the call that writes it to the other member, of ${times.length}`
  return [
    row({ what: `${what}: p50`, unit: 'ms', ours: times }),
    row({ what: `${what}: worst`, unit: 'ms', ours: [quantile(times, 1)] }),
  ]
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

/** A node whose link tabs open, with a run that they hear of. */
async function dashboard() {
  const home = mkdtempSync(join(tmpdir(), 'synaptic-mesh-bench-'))
  const env = { ...process.env, SYNAPTIC_HOME: home }
  const cli = join(DIST, 'bin', 'cli.mjs')
  const command = (...args) =>
    execFileSync(process.execPath, [cli, ...args, '--json'], { env, stdio: 'ignore' })
  command('init', '--yes')
  const args = [cli, 'start', '--port', '0', '--dashboard-port', '0', '--json']
  const stdio = ['ignore', 'pipe', 'inherit']
  const child = tracked(spawn(process.execPath, args, { env, stdio }))
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
export async function joining(launch, { tabs }) {
  const [cold, warm] = [[], []]
  for (let n = 0; n < tabs; n += 1) {
    const node = await dashboard()
    const browser = await launch()
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
  const what = 'tab: link opened to the first vertex shown, cold browser'
  return [
    row({ what, unit: 'ms', ours: cold, goal: 1_000 }),
    row({ what: 'tab: reloaded to the same', unit: 'ms', ours: warm, goal: 300 }),
  ]
}

const MEETINGS = [
  ['tab to tab: both joined to a direct way by WebRTC', 'direct, WebRTC', true, 800],
  ['tab to tab: both joined to a way through the relay, without WebRTC', 'relayed,', false, 200],
]

/** Two tabs that meet through a node: from the second's joining to what each shows of the other. */
export async function meeting(launch, { tabs }) {
  const rows = []
  for (const [what, words, hasWebRtc, goal] of MEETINGS) {
    const ours = []
    for (let n = 0; n < tabs; n += 1) ours.push(await met(launch, words, hasWebRtc))
    rows.push(row({ what, unit: 'ms', ours, goal }))
  }
  return rows
}

async function met(launch, words, hasWebRtc) {
  const node = await dashboard()
  const browser = await launch()
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
  const ms = performance.now() - begun
  await browser.close()
  node.end()
  return ms
}
