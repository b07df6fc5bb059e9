// Tabs in the background. A page that nobody has looked at for five minutes gets its timers once a
// minute; the node in a dashboard tab runs in a worker, that of a program may run on the page. Either
// way it says that it is there, and nobody takes it for gone.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { WebSocket } from 'ws'
import { data, PACKAGE, scratch, TestNode, until } from '../node/cli.mjs'
import { serveFolder } from '../packaging/consume.mjs'

const CHROMIUM = process.env.SYNAPTIC_CHROMIUM ?? process.env.CHROMIUM ?? '/usr/bin/chromium'
/** When a hidden page's timers go to sleep, instead of after five minutes (seconds). */
const GRACE_S = 3
/** How long it is hidden then: several times the silence that is borne (milliseconds). */
const HIDDEN_MS = 20_000
/** What a timer that goes once a minute stands still for in that time, wherever its minute ends. */
const ASLEEP_MS = (HIDDEN_MS - GRACE_S * 1_000) / 2 - 500
const JOIN_TIMEOUT_MS = 30_000
/** How long Chromium may take to answer, and a program in it to have its node. */
const ANSWER_TIMEOUT_MS = 60_000
const OTHERS = 4

const browsers = new Set()
after(() => {
  for (const child of browsers) child.kill('SIGKILL')
})

/**
 * Chromium by its protocol alone: what drives it in other tests keeps pages from being hidden.
 */
class Browser {
  #waiting = new Map()
  #last = 0

  static async start() {
    const feature = `IntensiveWakeUpThrottling:grace_period_seconds/${GRACE_S}`
    const options = ['--headless=new', '--no-sandbox', '--no-first-run', '--disable-quic']
    const profile = `--user-data-dir=${scratch()}`
    const args = [...options, profile, '--remote-debugging-port=0', `--enable-features=${feature}`]
    const child = spawn(CHROMIUM, [...args, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] })
    browsers.add(child)
    let said = ''
    child.stderr.on('data', (text) => {
      said += text
    })
    const url = await until(() => /ws:\/\/\S+/.exec(said)?.[0], 'Chromium is there')
    const socket = new WebSocket(url)
    await once(socket, 'open')
    return new Browser(child, socket)
  }

  constructor(child, socket) {
    this.child = child
    this.socket = socket
    socket.on('message', (text) => {
      const { id, result, error } = JSON.parse(text)
      const [resolve, reject] = this.#waiting.get(id) ?? []
      if (error === undefined) resolve?.(result)
      else reject?.(new Error(error.message))
    })
  }

  send(method, params = {}, sessionId = undefined) {
    this.#last += 1
    const id = this.#last
    this.socket.send(JSON.stringify({ id, method, params, sessionId }))
    return new Promise((resolve, reject) => {
      const late = new Error(`${method} ${JSON.stringify(params)} was not answered`)
      const timer = setTimeout(() => settle(reject)(late), ANSWER_TIMEOUT_MS)
      const settle = (end) => (value) => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        end(value)
      }
      this.#waiting.set(id, [settle(resolve), settle(reject)])
    })
  }

  /** A page that is shown: those before it are hidden. */
  async open(url) {
    const { targetId } = await this.send('Target.createTarget', { url })
    const target = { targetId, flatten: true }
    const { sessionId } = await this.send('Target.attachToTarget', target)
    await this.send('Target.activateTarget', { targetId })
    return async (expression) => {
      const asked = { expression, returnByValue: true, awaitPromise: true }
      const { result, exceptionDetails } = await this.send('Runtime.evaluate', asked, sessionId)
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
      return result.value
    }
  }
}

/** A page of its own whose node runs on the page itself. */
async function programOf(hub) {
  const root = scratch()
  cpSync(PACKAGE, join(root, 'synaptic-mesh'), { recursive: true })
  writeFileSync(join(root, 'index.html'), '<!doctype html><title>a program</title>')
  const site = await serveFolder(root)
  const begin = async (page) => {
    const options = JSON.stringify({ join: hub.ready.join, storage: 'memory' })
    const create = `import('/synaptic-mesh/browser.mjs').then(async ({ createNode }) => {
      globalThis.node = await createNode(${options})
      return node.nodeId
    })`
    return page(create)
  }
  return { url: site.origin, begin, close: () => site.close() }
}

/** The dashboard's page, whose node runs in a worker. */
async function dashboardOf(hub) {
  const begin = async (page) => {
    const id = `document.querySelector('[data-state="joined"]') &&
      document.querySelector('[data-node-id]')?.textContent`
    return until(() => page(id), 'the tab has joined', JOIN_TIMEOUT_MS)
  }
  return { url: hub.ready.join, begin, close: () => undefined }
}

/** A node of a new network, or one that came by a link. */
async function node(link) {
  const place = scratch()
  const join = link === undefined ? [] : ['--join', link]
  await data(['init', '--home', place, ...join], { cwd: place })
  return TestNode.start(place, join)
}

// Timers of the dashboard's page go on once a second: it is the page that may not sleep at all.
for (const [what, prepare, sleepsMs] of [
  ['whose node runs in a worker', dashboardOf, 0],
  ['whose node runs on the page', programOf, ASLEEP_MS],
]) {
  test(`a hidden tab ${what} is not taken for gone`, async (t) => {
    const hub = await node()
    // Of several peers one is asked something every three seconds; what it answers is a sign of life.
    const link = hub.ready.join
    const others = await Promise.all(Array.from({ length: OTHERS }, () => node(link)))
    const browser = await Browser.start()
    t.after(() => {
      browser.child.kill('SIGKILL')
      return Promise.all([hub, ...others].map((one) => one.kill()))
    })
    const { url, begin, close } = await prepare(hub)
    t.after(close)
    const page = await browser.open(url)
    // There is nothing to ask before the page begins to load.
    const isThere = `location.href.startsWith(${JSON.stringify(new URL(url).origin)}) &&
      document.readyState === 'complete'`
    await until(() => page(isThere).catch(() => false), 'the page is there', JOIN_TIMEOUT_MS)
    const id = await begin(page)
    await hub.event('peer', (peer) => peer.id === id && peer.state === 'connected')

    const tick = `globalThis.tick = { at: performance.now(), pauseMs: 0 }
      globalThis.look = () => {
        const at = performance.now()
        tick = { at, pauseMs: Math.max(tick.pauseMs, at - tick.at) }
      }
      setInterval(look, 500)`
    await page(tick)
    await browser.open('about:blank')
    await until(() => page('document.visibilityState === "hidden"'), 'the tab is hidden')
    const from = hub.events.length
    await new Promise((resolve) => setTimeout(resolve, HIDDEN_MS))
    const asleep = await page('look(); tick.pauseMs')
    t.diagnostic(`the page's timers stood still for ${Math.round(asleep)} ms`)
    assert.ok(asleep >= sleepsMs, `the control: they stood still for ${asleep} ms`)
    const parted = hub.events
      .slice(from)
      .filter(({ event, data: peer }) => event === 'peer' && peer.id === id)
    assert.deepEqual(parted, [])
    const { peers } = await hub.api('status')
    assert.ok(
      peers.some((peer) => peer.id === id),
      'it is on the list',
    )
  })
}
