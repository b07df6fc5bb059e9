/**
 * What the packaging tests share: a page in Chromium over a folder of files, and a split of digits.
 */
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { findBrowser } from '../../npm/scripts/setup.mjs'
import { packed } from '../packed.mjs'

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}
/** As strict as a page can be that runs wasm: nothing inline, nothing from elsewhere. */
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; " +
  "connect-src 'self' ws://127.0.0.1:*"

/** Serves a folder on loopback until the returned function is called. */
export async function serveFolder(folder) {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname))
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path)
    if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end()
    const type = TYPES[extname(file)] ?? 'application/octet-stream'
    response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY })
    createReadStream(file).pipe(response)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }
  return { origin: `http://127.0.0.1:${server.address().port}`, close }
}

/** Starts Chromium; every page's errors and missing files are collected in `complaints`. */
export async function openBrowser() {
  const executablePath = findBrowser().chromium
  const args = ['--no-sandbox', '--disable-dev-shm-usage']
  const browser = await chromium.launch({ executablePath, args })
  const complaints = []
  const open = async (address) => {
    const page = await browser.newPage()
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('console', (line) => line.type() === 'error' && complaints.push(line.text()))
    page.on('response', (response) => {
      const icon = response.url().endsWith('/favicon.ico')
      if (response.status() >= 400 && !icon)
        complaints.push(`${response.status()} ${response.url()}`)
    })
    await page.goto(address)
    return page
  }
  const real = () => complaints.filter((text) => !/favicon|status of 404/.test(text))
  return { open, complaints: real, close: () => browser.close() }
}

/** Example code of the README that users see, by its mark. */
export function example(name) {
  const path = fileURLToPath(new URL('../../pkg-template/README.md', import.meta.url))
  const text = readFileSync(path, 'utf8')
  const found = new RegExp(`<!-- example: ${name} -->\\n\`\`\`js\\n([\\s\\S]*?)\`\`\``).exec(text)
  if (!found) throw new Error(`the README has no example "${name}"`)
  return found[1]
}

/** The digits of the package, dealt out to `count` members. */
export function dealDigits(count) {
  const lines = readFileSync(join(packed().package, 'data/digits.csv'), 'utf8').trim().split('\n')
  return Array.from({ length: count }, (_, member) =>
    lines.filter((_, index) => index % count === member).join('\n'),
  )
}

const vector = (name) =>
  readFileSync(new URL(`../vectors/finality/${name}`, import.meta.url)).toString('base64')

/** A light client: it tells what is proven, and why the same proof with one bit changed is not. */
export const LIGHT_CLIENT = `
import { verifyProof } from 'synaptic-mesh/proof'
const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
const [genesis, proof] = ['${vector('genesis')}', '${vector('proof')}'].map(bytes)
const { height, epoch, decided } = await verifyProof(genesis, proof)
proof[20_000] ^= 1
const { code } = await verifyProof(genesis, proof).catch((error) => error)
const told = [height, epoch, decided, code].join(' ')
`
export const LIGHT_CLIENT_TELLS = '2 1 1001 certificate-signature'
