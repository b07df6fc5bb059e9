// onnxruntime-web, which the tests run exported networks with.
//
// Installed it has 140 MB, of which a test needs three files: they are taken out of the package, as
// npm packs it, into the user's cache.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CACHE } from './paths.mjs'
import { npm, run, say } from './run.mjs'

const NAME = 'onnxruntime-web'
const VERSION = '1.30.0'
/** As the registry says, and as benches/peers/package-lock.json has it. */
const INTEGRITY =
  'sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=='
/** The library with its wasm, for the processor alone. */
const FILES = ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm']

/** The library, fetched from the registry the first time; it runs on this thread alone. */
export async function onnxRuntime() {
  const folder = join(CACHE, `${NAME}-${VERSION}`)
  if (!existsSync(folder)) await fetchInto(folder)
  const runtime = await import(pathToFileURL(join(folder, FILES[0])).href)
  runtime.env.wasm.numThreads = 1
  return runtime
}

async function fetchInto(folder) {
  say(`setup: ${NAME} ${VERSION} into ${folder} (the tests run exported networks; 33 MB to fetch)`)
  mkdirSync(CACHE, { recursive: true })
  const building = mkdtempSync(`${folder}.`)
  try {
    const args = ['pack', `${NAME}@${VERSION}`, '--pack-destination', building, '--ignore-scripts']
    await npm([...args, '--prefer-offline'], { cwd: building })
    const tarball = join(building, `${NAME}-${VERSION}.tgz`)
    const digest = createHash('sha512').update(readFileSync(tarball)).digest('base64')
    if (`sha512-${digest}` !== INTEGRITY) {
      throw new Error(`${NAME} ${VERSION} from the registry is not the package it was: ${digest}`)
    }
    const wanted = FILES.map((file) => `package/dist/${file}`)
    await run('tar', ['-xzf', tarball, '-C', building, ...wanted])
    // Complete before it has its name; a test that runs beside this one may have been faster.
    if (!existsSync(folder)) renameSync(join(building, 'package', 'dist'), folder)
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
}
