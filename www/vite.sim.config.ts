/**
 * The simulator's page: built by `npm run build -- sim` into a folder of its own, and not part of the
 * package. Its wasm module has stub signatures, which no node accepts.
 */
import { fileURLToPath } from 'node:url'

import { defineConfig } from 'vite'

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2023',
    outDir: 'dist-sim',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: fileURLToPath(new URL('sim.html', import.meta.url)) },
  },
})
