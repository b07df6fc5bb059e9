/** The pages of the tests beside js-libp2p in Chromium: bundled once, served from memory. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { PACKAGE, scratch } from '../node/cli.mjs'

const PLACE = fileURLToPath(new URL('libp2p/', import.meta.url))
const NAMES = ['page', 'ours']

/** Bundles and serves `/page.html` (js-libp2p) and `/ours.html` (a tab of ours). */
export async function site() {
  const outDir = scratch()
  for (const name of NAMES) {
    await build({
      configFile: false,
      root: PLACE,
      logLevel: 'error',
      resolve: { alias: { 'synaptic-mesh': PACKAGE } },
      build: {
        outDir,
        emptyOutDir: false,
        target: 'esnext',
        minify: false,
        lib: { entry: join(PLACE, `${name}.mjs`), formats: ['es'], fileName: () => `${name}.js` },
        rollupOptions: { output: { codeSplitting: false } },
      },
    })
  }
  const server = createServer((request, response) => {
    const name = NAMES.find((one) => request.url.startsWith(`/${one}.`))
    if (name === undefined) return response.writeHead(404).end()
    const isPage = request.url.endsWith('.html')
    response.setHeader('content-type', isPage ? 'text/html' : 'text/javascript')
    const page = `<!doctype html><script type="module" src="/${name}.js"></script>`
    response.end(isPage ? page : readFileSync(join(outDir, `${name}.js`)))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${server.address().port}`
  return { origin, close: () => server.close() }
}
