/**
 * Loads the two wasm artifacts. The only file that knows where they lie.
 *
 * The serving node offers the package's own `wasm/` directory at `/wasm/`: wasm-bindgen's `--target
 * web` glue and the module beside it, the same files a bundler user gets. They are imported at run
 * time and streamed, so compiling starts before the last byte. Types are those of the generated
 * declarations, which lie in `pkg/` and, as this path says, in `wasm/` of the package.
 */
import { Failure } from './problem.ts'

/** A whole node. */
export type MeshModule = typeof import('../../wasm/mesh.js')
/** Kernels, networks, training. */
export type NeuralModule = typeof import('../../wasm/neural.js')

/** The smallest module with a SIMD instruction (`v128.const`, dropped): 43 bytes. */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0, 253, 12, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 26, 11,
])

/** Loads the whole node. Called once per node worker. */
export function loadMesh(): Promise<MeshModule> {
  return load<MeshModule>('mesh')
}

/** Loads kernels and training only. Called once per training worker. */
export function loadNeural(): Promise<NeuralModule> {
  return load<NeuralModule>('neural')
}

/**
 * Fails early, and with words, where wasm or its SIMD instructions are missing.
 *
 * @throws Failure `no-wasm-simd`.
 */
export function requireSimd(): void {
  if (typeof WebAssembly === 'object' && WebAssembly.validate(SIMD_PROBE)) return
  throw new Failure(
    'no-wasm-simd',
    'This browser does not run WebAssembly with SIMD, which all arithmetic here needs.',
    'Use a current Chromium, Firefox or Safari (16.4 or later).',
  )
}

async function load<Module extends MeshModule | NeuralModule>(
  name: 'mesh' | 'neural',
): Promise<Module> {
  const base = `/wasm/${name}`
  try {
    const [glue, response] = await Promise.all([
      import(/* @vite-ignore */ `${base}.js`) as Promise<Module>,
      fetch(`${base}_bg.wasm`),
    ])
    const type = response.headers.get('content-type') ?? 'none'
    if (!response.ok || !type.startsWith('application/wasm')) {
      throw new Error(`${base}_bg.wasm was answered with ${response.status}, type ${type}`)
    }
    await glue.default({ module_or_path: response })
    return glue
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Failure(
      'wasm-unavailable',
      `The ${name} module could not be loaded: ${why}.`,
      'Check that the serving node runs (`npx synaptic-mesh status`), then reload the tab.',
      cause,
    )
  }
}
