// The packed package in Chromium: bundled by Vite, and without any bundler; in both, the page joins
// a run of a Node process and contributes rows, as the README says.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { packed, scratch } from '../packed.mjs'
import {
  dealDigits,
  example,
  LIGHT_CLIENT,
  LIGHT_CLIENT_TELLS,
  openBrowser,
  serveFolder,
} from './consume.mjs'

const VITE = fileURLToPath(new URL('../../node_modules/vite/bin/vite.js', import.meta.url))
const PAGE_TIMEOUT_MS = 90_000
const FINISH_TIMEOUT_MS = 30_000

let browser
before(async () => {
  browser = await openBrowser()
})
after(() => browser?.close())

/** The example behind a button, and what became of it in the title. */
const MAIN = `
import { loadNeural } from 'synaptic-mesh'
document.querySelector('#engine').onclick = async () => {
  const neural = await loadNeural()
  document.title = neural.weightsCid(new Uint8Array(4))
}
document.querySelector('#join').onclick = () => import('./member.js').catch((error) => {
  document.title = \`failed: \${error.code} \${error.message}\`
})
`
const MEMBER = `${example('page')}\nconst status = await node.status()
await node.stop()
document.title = \`done as \${status.storage.kind}\`\n`
const BODY = `
<input id="link"><input id="rows" type="file">
<button id="engine"></button><button id="join"></button>
`

/** The page's files; `edit` changes its code. */
function writeSite(root, edit = (code) => code) {
  writeFileSync(join(root, 'index.html'), `${BODY}<script type="module" src="./main.js"></script>`)
  writeFileSync(join(root, 'main.js'), edit(MAIN))
  writeFileSync(join(root, 'member.js'), edit(MEMBER))
}

/** A founder that waits for one more member. */
async function founder(rows) {
  const entry = pathToFileURL(join(packed().package, 'node.mjs')).href
  const { createNode } = await import(entry)
  const node = await createNode()
  const run = { name: 'digits', data: rows, layers: [64, 16, 10], rounds: 3, epochs: 1 }
  await node.startRun(run)
  return node
}

/** The founder's view of the run; the last round may still be on its way when the page leaves. */
async function finished(node) {
  const deadline = performance.now() + FINISH_TIMEOUT_MS
  for (;;) {
    const [run] = await node.runs()
    if (run.state === 'finished' || performance.now() > deadline) {
      assert.equal(run.state, 'finished')
      return run
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function joinsAndFinishes(folder) {
  const [mine, theirs] = dealDigits(2).map((text) => new TextEncoder().encode(text))
  const node = await founder(mine)
  const site = await serveFolder(folder)
  try {
    const page = await browser.open(site.origin)
    await page.click('#engine')
    await page.waitForFunction(() => document.title.startsWith('bafk'), null, { timeout: 30_000 })
    await page.fill('#link', node.joinLink)
    const file = { name: 'theirs.csv', mimeType: 'text/csv', buffer: Buffer.from(theirs) }
    await page.setInputFiles('#rows', file)
    await page.click('#join')
    const ended = () => /^(done|failed)/.test(document.title)
    await page.waitForFunction(ended, null, { timeout: PAGE_TIMEOUT_MS })
    assert.equal(await page.title(), 'done as indexeddb')
    const run = await finished(node)
    assert.equal(run.members.length, 2)
    assert.equal(page.workers().length, 0, 'a stopped node leaves no worker behind')
    await page.close()
    assert.deepEqual(browser.complaints(), [])
  } finally {
    await node.stop()
    await site.close()
  }
}

/** Bundles a page by Vite; the folder it is served from. */
function bundled(root) {
  const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }
  execFileSync(process.execPath, [VITE, 'build', '--target', 'esnext'], options)
  return join(root, 'dist')
}

test('a page bundled by Vite is a member', async () => {
  const root = scratch('vite')
  writeSite(root)
  await joinsAndFinishes(bundled(root))
})

test('a page without a bundler is a member', async () => {
  const root = scratch('plain')
  mkdirSync(join(root, 'node_modules'))
  cpSync(packed().package, join(root, 'synaptic-mesh'), { recursive: true })
  const direct = (code) => code.replaceAll("'synaptic-mesh'", "'./synaptic-mesh/browser.mjs'")
  writeSite(root, direct)
  await joinsAndFinishes(root)
})

/** A network that grows: its engine is a module of its own, loaded when it is needed. */
const GROWING = `const growing = await Network.create({ shortcut: true, layers: [2, 1], seed: 1 })
for await (const _ of growing.train(xor, { algorithm: 'cascade', maxNeurons: 2 })) {}
const told = [$1, growing.weightsCid()].join(" ")
`

/** Learns XOR as the README says, and gives the ids of the weights; in a page and in a worker. */
const ENGINE = example('neural').replace(/console\.log\((.*)\)\n$/, GROWING)

async function toldBy(folder) {
  const site = await serveFolder(folder)
  try {
    const page = await browser.open(site.origin)
    await page.waitForFunction(() => document.title.includes('|'), null, { timeout: 60_000 })
    const told = (await page.title()).split('|')
    await page.close()
    assert.deepEqual(browser.complaints(), [])
    return told
  } finally {
    await site.close()
  }
}

/** A page that learns, and has a worker learn the same. */
function writeEngine(root, edit = (code) => code) {
  const page = `${ENGINE}
const worker = new Worker(new URL('./learner.js', import.meta.url), { type: 'module' })
worker.onmessage = ({ data }) => { document.title = told + '|' + data }
`
  writeFileSync(join(root, 'index.html'), '<script type="module" src="./main.js"></script>')
  writeFileSync(join(root, 'main.js'), edit(page))
  writeFileSync(join(root, 'learner.js'), edit(`${ENGINE}\npostMessage(told)\n`))
}

test('the engine alone learns in a page and in a worker, bundled and not, with the same bits', async () => {
  const root = scratch('vite-neural')
  writeEngine(root)
  const config = 'export default { worker: { format: "es" } }\n'
  writeFileSync(join(root, 'vite.config.mjs'), config)
  const site = bundled(root)
  const made = readdirSync(join(site, 'assets'))
  assert.deepEqual(
    made.filter((name) => name.startsWith('mesh')),
    [],
    'the engine alone bundles no mesh',
  )
  const plain = scratch('plain-neural')
  cpSync(packed().package, join(plain, 'synaptic-mesh'), { recursive: true })
  writeEngine(plain, (code) =>
    code.replaceAll("'synaptic-mesh/neural'", "'./synaptic-mesh/neural.mjs'"),
  )
  const node = scratch('node-neural')
  writeFileSync(join(node, 'main.mjs'), `${ENGINE}console.log(told)\n`)
  const inNode = execFileSync(process.execPath, ['main.mjs'], {
    cwd: node,
    encoding: 'utf8',
  }).trim()
  assert.match(inNode, /^1 bafk\w+ bafk\w+$/)
  for (const folder of [site, plain]) {
    assert.deepEqual(await toldBy(folder), [inNode, inNode])
  }
})

test('a light client in a page bundles neither node nor engine', async () => {
  const root = scratch('vite-light')
  writeFileSync(join(root, 'index.html'), '<script type="module" src="./main.js"></script>')
  writeFileSync(join(root, 'main.js'), `${LIGHT_CLIENT}document.title = told\n`)
  const folder = bundled(root)
  const made = readdirSync(join(folder, 'assets'))
  assert.deepEqual(
    made.filter((name) => /^(mesh|neural|fann)/.test(name)),
    [],
  )
  const site = await serveFolder(folder)
  try {
    const page = await browser.open(site.origin)
    await page.waitForFunction((told) => document.title === told, LIGHT_CLIENT_TELLS)
  } finally {
    await site.close()
  }
})

test('slim streams the module from the server', async () => {
  const root = scratch('slim-page')
  cpSync(packed().package, join(root, 'synaptic-mesh'), { recursive: true })
  const code = `
    import { init, loadNeural } from './synaptic-mesh/slim.mjs'
    init({ neural: './missing.wasm' })
    const { message } = await loadNeural().catch((error) => error)
    init({ neural: new URL('./synaptic-mesh/wasm/neural_bg.wasm', import.meta.url) })
    const { weightsCid } = await loadNeural()
    document.title = weightsCid(new Uint8Array(4)) + ' ' + message`
  writeFileSync(join(root, 'index.html'), '<script type="module" src="./main.js"></script>')
  writeFileSync(join(root, 'main.js'), code)
  const site = await serveFolder(root)
  try {
    const page = await browser.open(site.origin)
    await page.waitForFunction(() => document.title !== '', null, { timeout: 30_000 })
    assert.match(await page.title(), /^bafk\w+ .*answered with status 404/)
  } finally {
    await site.close()
  }
})
