/**
 * The pages of `npm run bench:net`: ours from the package as it is, that of js-libp2p bundled once.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DIST, LIBP2P } from './processes.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const TYPES = { '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm' }
const SCRIPTS = { '/ours.html': '/bench/tab.mjs', '/js.html': '/js/page.js' }

/** Bundles, serves, and opens pages until it is closed. */
export async function site() {
  const folder = mkdtempSync(join(tmpdir(), 'synaptic-mesh-bench-'))
  await bundle(folder)
  const places = { '/package/': DIST, '/bench/': HERE, '/js/': folder }
  const server = createServer(({ url }, response) => {
    const script = SCRIPTS[url]
    if (script !== undefined) {
      response.setHeader('content-type', 'text/html')
      return response.end(`<!doctype html><script type="module" src="${script}"></script>`)
    }
    const [prefix, place] = Object.entries(places).find(([one]) => url.startsWith(one)) ?? []
    const file = place === undefined ? '' : join(place, normalize(url.slice(prefix.length)))
    if (!existsSync(file)) return response.writeHead(404).end()
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream')
    response.end(readFileSync(file))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${server.address().port}`
  return {
    /** So many pages, in profiles of their own; each is called like `evaluate`. */
    open: (browser, program, count) =>
      Promise.all(
        Array.from({ length: count }, () => opened(browser, `${origin}/${program}.html`)),
      ),
    close() {
      server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function bundle(outDir) {
  const { build } = await import('vite')
  await build({
    configFile: false,
    root: LIBP2P,
    logLevel: 'error',
    build: {
      outDir,
      emptyOutDir: false,
      target: 'esnext',
      lib: { entry: join(LIBP2P, 'speed-page.mjs'), formats: ['es'], fileName: () => 'page.js' },
      rollupOptions: { output: { codeSplitting: false } },
    },
  })
}

async function opened(browser, address) {
  const context = await browser.newContext()
  const page = await context.newPage()
  page.on('pageerror', (error) => process.stderr.write(`${address}: ${error}\n`))
  await page.goto(address)
  await page.waitForFunction(() => globalThis.tab !== undefined)
  const call = (body, given) => page.evaluate(body, given)
  call.close = () => context.close()
  return call
}
