/**
 * The wasm artifacts, and how Node loads them.
 *
 * `neural` trains and runs networks of layers, `fann` those of FANN; `proof` checks what is final;
 * `mesh` is a whole node and holds `neural` and `proof` too. Each is loaded from the files beside
 * this package, once per thread. Their types are the generated ones: `wasm/` stands beside `lib/`
 * in the package, and tsconfig.json finds it in `pkg/` meanwhile.
 */
import { readFileSync } from 'node:fs'
import { SynapticError } from './errors.js'

export type { Fann, FannEpoch, FannOptions, FannSettings } from '../wasm/fann.js'
export type * from '../wasm/mesh.js'
// Those of the mesh can do more; what is written for these takes both.
export type { Dataset, Network, ParsedRows } from '../wasm/neural.js'

type NeuralGlue = typeof import('../wasm/neural.js')
type FannGlue = typeof import('../wasm/fann.js')
type ProofGlue = typeof import('../wasm/proof.js')
type MeshGlue = typeof import('../wasm/mesh.js')
/** What of an artifact is done when it is handed over. */
type Loading = 'default' | 'initSync'

/** What the neural artifact exports. */
export type NeuralModule = Omit<NeuralGlue, Loading>
/** What the FANN artifact exports. */
export type FannModule = Omit<FannGlue, Loading>
/** What the proof artifact exports. */
export type ProofModule = Omit<ProofGlue, Loading>
/** What the mesh artifact exports. */
export type MeshModule = Omit<MeshGlue, Loading>

/** Longer than any loading takes; the timer never fires. */
const AWAKE_MS = 3_600_000

/** What is smaller is compiled at once: `neural`, in 5 ms. */
const AT_ONCE_BYTES_MAX = 1_000_000

const loaded = new Map<string, Promise<unknown>>()

/** The artifact that trains and runs networks. */
export function loadNeural(): Promise<NeuralModule> {
  return load<NeuralGlue>('neural')
}

/** The artifact that makes, trains and runs networks of FANN. */
export function loadFann(): Promise<FannModule> {
  return load<FannGlue>('fann')
}

/** The artifact that checks what is final. */
export function loadProof(): Promise<ProofModule> {
  return load<ProofGlue>('proof')
}

/** The artifact that is a node. */
export function loadMesh(): Promise<MeshModule> {
  return load<MeshGlue>('mesh')
}

function load<T>(name: string): Promise<T> {
  let module = loaded.get(name)
  if (module === undefined) {
    module = instantiate(name)
    loaded.set(name, module)
    // A later call shall try again rather than meet the same failure.
    module.catch(() => loaded.delete(name))
  }
  return module as Promise<T>
}

/** The module, or its bytes if `initSync` shall compile them: for few, other threads cost more. */
function compiled(bytes: Uint8Array<ArrayBuffer>): object | Promise<object> {
  return bytes.length < AT_ONCE_BYTES_MAX ? bytes : WebAssembly.compile(bytes)
}

async function instantiate(name: string): Promise<unknown> {
  const directory = new URL('../wasm/', import.meta.url)
  // While nothing but V8's own threads is at work, Node finds its event loop empty and waits for
  // them to finish everything, the optimisation of what has just been loaded included: seconds,
  // in which no socket is served. A timer keeps the loop alive.
  const awake = setInterval(() => undefined, AWAKE_MS)
  try {
    const bytes = readFileSync(new URL(`${name}_bg.wasm`, directory))
    const [glue, module] = await Promise.all([
      import(new URL(`${name}.js`, directory).href) as Promise<Pick<NeuralGlue, 'initSync'>>,
      compiled(bytes),
    ])
    glue.initSync({ module })
    return glue
  } catch (thrown) {
    const detail = thrown instanceof Error ? thrown.message : String(thrown)
    throw new SynapticError(
      'wasm-unavailable',
      `the wasm core "${name}" cannot be loaded: ${detail}`,
      'install the package again; `synaptic-mesh doctor` checks what this machine lacks',
      { cause: thrown },
    )
  } finally {
    clearInterval(awake)
  }
}
