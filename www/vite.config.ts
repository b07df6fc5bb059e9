/**
 * The dashboard's build: one page, two workers, one service worker, no inline code.
 *
 * The content policy of the serving node forbids inline scripts and styles and data URLs of code, so
 * nothing is inlined. The wasm artifacts are not part of this build; the node serves them at `/wasm/`.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { defineConfig, type Plugin } from 'vite'

/** Runtime files of the shell that this build does not make. */
const WASM = ['mesh.js', 'mesh_bg.wasm', 'neural.js', 'neural_bg.wasm']
const PUBLIC = ['icon.svg', 'manifest.webmanifest']

/** Where built artifacts lie in this repository, so that a new one means a new shell version. */
const artifact = (file: string) =>
  fileURLToPath(new URL(`../pkg/${file.split(/[._]/)[0]}/${file}`, import.meta.url))

/** Puts the list of shell files, and a digest over their contents, into the service worker. */
function shell(): Plugin {
  return {
    name: 'shell',
    generateBundle(_, bundle) {
      const digest = createHash('sha256')
      const paths = [
        '/',
        ...PUBLIC.map((file) => `/${file}`),
        ...WASM.map((file) => `/wasm/${file}`),
      ]
      for (const [name, file] of Object.entries(bundle).sort(([a], [b]) => (a < b ? -1 : 1))) {
        digest.update(name).update(file.type === 'chunk' ? file.code : file.source)
        if (name !== 'sw.js' && name !== 'index.html' && !name.endsWith('.map'))
          paths.push(`/${name}`)
      }
      for (const file of WASM.map(artifact).filter(existsSync)) digest.update(readFileSync(file))
      const worker = bundle['sw.js']
      if (worker?.type !== 'chunk') return this.error('the service worker was not built')
      const version = digest.digest('hex').slice(0, 16)
      const filled = worker.code.replaceAll('__SHELL__', JSON.stringify({ version, paths }))
      worker.code = filled.replace(/\bexport\s*\{\s*\};?/, '')
    },
  }
}

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: '/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [shell()],
  worker: { format: 'es' },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        main: fileURLToPath(new URL('index.html', import.meta.url)),
        sw: fileURLToPath(new URL('src/sw.ts', import.meta.url)),
      },
      output: {
        entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
})
