#!/usr/bin/env node
// `npm run build`: the wasm artifacts, the host, the dashboard and the package in `dist/`.
// `npm run build -- neural` stops after that artifact; `npm run build -- sim` makes the simulator's
// page in `www/dist-sim/`, which is not part of the package.
// The matrix of artifacts stands in wasm-pack.toml; this is its only reader. A step whose inputs
// have not changed is skipped, so a second run takes a second.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildArtifact, checkBudgets } from './lib/artifact.mjs'
import { DIST, ROOT } from './lib/paths.mjs'
import { run, say, start } from './lib/run.mjs'
import { step } from './lib/stamp.mjs'
import { parseToml } from './lib/toml.mjs'
import { setup } from './setup.mjs'

const TSC = 'node_modules/typescript/bin/tsc'
const VITE = 'node_modules/vite/bin/vite.js'

/** Builds what is out of date. */
export async function build() {
  const { digests, lines } = await buildArtifacts()
  digests.push(await buildHost(digests))
  digests.push(await buildDashboard(digests))
  digests.push(await buildPageLibrary(digests))
  await assemble(digests)
  for (const line of lines) say(`build: ${line}`)
}

/** The artifacts of the matrix, or those named; a table line about the size of each. */
export async function buildArtifacts(names) {
  const matrix = parseToml(readFileSync(join(ROOT, 'wasm-pack.toml'), 'utf8'))
  const wanted = matrix.artifact.filter(({ name }) => !names || names.includes(name))
  const built = []
  for (const artifact of wanted) built.push(await buildArtifact(artifact, matrix.flags))
  const lines = checkBudgets(built.map(({ size }) => size))
  return { digests: built.map(({ digest }) => digest), lines }
}

/** The simulator's own module and page. */
export async function buildSimulator() {
  const { simulator, flags } = parseToml(readFileSync(join(ROOT, 'wasm-pack.toml'), 'utf8'))
  const { digest, size } = await buildArtifact(simulator, flags)
  const about = {
    name: 'www/sim.html (Vite)',
    inputs: ['src', 'sim.html', 'tsconfig.sim.json', 'vite.sim.config.ts'].map(inDashboard),
    words: [digest],
    output: 'www/dist-sim/sim.html',
    stamp: 'www/dist-sim/.stamp',
  }
  await step(about, async () => {
    await run(process.execPath, [TSC, '-p', 'www/tsconfig.sim.json', '--noEmit'])
    const words = [join(ROOT, VITE), 'build', '--config', 'vite.sim.config.ts']
    await run(process.execPath, words, { cwd: join(ROOT, 'www') })
  })
  return checkBudgets([size])
}

const inDashboard = (name) => `www/${name}`

/** Host and pages are written against the types that the artifacts declare. */
function buildHost(digests) {
  const about = {
    name: 'npm/ (TypeScript)',
    inputs: ['npm/src', 'npm/tsconfig.json', 'npm/package.json'],
    words: digests,
    output: 'npm/dist/index.js',
    stamp: 'npm/dist/.stamp',
  }
  return step(about, async () => {
    rmSync(join(ROOT, 'npm/dist'), { recursive: true, force: true })
    await run(process.execPath, [TSC, '-p', 'npm/tsconfig.json'])
  })
}

/** The dashboard also names the artifacts' versions in its service worker. */
function buildDashboard(digests) {
  const about = {
    name: 'www/ (Vite)',
    inputs: [
      ...[
        'src',
        'public',
        'index.html',
        'scripts',
        'package.json',
        'tsconfig.json',
        'vite.config.ts',
      ].map(inDashboard),
      'npm/src/link.ts',
      'npm/src/errors.ts',
      'npm/src/run-log.ts',
      'package-lock.json',
    ],
    words: digests,
    output: 'www/dist/index.html',
    stamp: 'www/dist/.stamp',
  }
  return step(about, async () => {
    await run(process.execPath, [TSC, '-p', 'www/tsconfig.json', '--noEmit'])
    await run(process.execPath, [join(ROOT, VITE), 'build'], { cwd: join(ROOT, 'www') })
    await run(process.execPath, ['scripts/size.mjs'], { cwd: join(ROOT, 'www') })
  })
}

/** What a page lends to a node (sockets, identity), for pages that are not the dashboard. */
function buildPageLibrary(digests) {
  const about = {
    name: 'page library',
    inputs: ['www/src', 'www/tsconfig.json', 'www/tsconfig.page.json', 'package-lock.json'],
    words: digests,
    output: 'pkg/page/socket.js',
    stamp: 'pkg/page/.stamp',
  }
  return step(about, async () => {
    rmSync(join(ROOT, 'pkg/page'), { recursive: true, force: true })
    await run(process.execPath, [TSC, '-p', 'www/tsconfig.page.json'])
  })
}

/** `dist/`: the published package, hand-written half laid over the built one. */
async function assemble(digests) {
  const about = {
    name: 'dist/ (the package)',
    inputs: ['pkg-template', 'npm/bin', 'data', 'LICENSE', 'package-lock.json'],
    words: digests,
    output: 'dist/package.json',
    stamp: 'dist/.stamp',
  }
  await step(about, async () => {
    rmSync(DIST, { recursive: true, force: true })
    mkdirSync(join(DIST, 'wasm'), { recursive: true })
    for (const folder of ['neural', 'fann', 'proof', 'mesh']) lay(`pkg/${folder}`, 'wasm')
    lay('npm/bin', 'bin')
    lay('npm/dist', 'lib')
    lay('pkg/page', 'lib/page')
    lay('data', 'data')
    lay('www/dist', 'www')
    lay('pkg-template', '.')
    lay('LICENSE', 'LICENSE')
    await bundle('lib/neural-node.js', ['lib/errors.js', 'lib/wasm.js'])
  })
}

/**
 * Puts a module of the package and what it imports into one file, all but what others share.
 * The bundler is loaded here: `npm test` imports this file before any package is installed.
 */
async function bundle(file, shared) {
  const { rolldown } = await import('rolldown')
  const place = join(DIST, file)
  const external = shared.map((path) => join(DIST, path))
  const build = await rolldown({ input: place, platform: 'node', external })
  await build.write({ file: place, format: 'esm', minify: true })
}

function lay(from, to) {
  const source = join(ROOT, from)
  if (!existsSync(source)) throw new Error(`${from} is missing: an earlier step did not make it`)
  const filter = (path) => !path.endsWith('.stamp') && !path.endsWith('.map')
  cpSync(source, join(DIST, to), { recursive: true, filter })
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await start(async () => {
    await setup()
    const names = process.argv.slice(2)
    if (names.length === 0) return build()
    const lines = names.includes('sim') ? await buildSimulator() : []
    const artifacts = names.filter((name) => name !== 'sim')
    if (artifacts.length > 0) lines.push(...(await buildArtifacts(artifacts)).lines)
    for (const line of lines) say(`build: ${line}`)
  })
}
