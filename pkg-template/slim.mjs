// @ts-check
/**
 * The package without its modules: the caller hands them over before anything else.
 * For pages that stream them, and for runtimes that compile no bytes.
 */
import { engineOf } from './engine.mjs'
import { SynapticError } from './lib/errors.js'
import { proofVerifier } from './lib/proof.js'
import { artifactsOf, moduleOf } from './load.mjs'
import { nodeMaker } from './page.mjs'

/** @type {Partial<Record<'mesh' | 'neural', import('./slim.d.ts').WasmSource>>} */
const sources = {}

/**
 * Says where the modules are. Nothing is fetched or compiled before it is needed.
 *
 * @param {import('./slim.d.ts').WasmSources} given
 */
export function init(given) {
  Object.assign(sources, given)
}

/** @param {'mesh' | 'neural'} name */
async function given(name) {
  const source = sources[name]
  if (source !== undefined) return moduleOf(source)
  const hint = `call init({ ${name}: ... }) first, or import from 'synaptic-mesh' instead`
  throw new SynapticError('wasm-unavailable', `the module "${name}" was not given`, hint)
}

const engine = engineOf(() => given('neural'))
const artifacts = artifactsOf({ mesh: () => given('mesh'), engine })

export const { loadMesh, loadNeural } = artifacts
export const createNode = nodeMaker(artifacts)
export const verifyProof = proofVerifier(loadMesh)
export { SynapticError } from './lib/errors.js'
export { decodeJoinLink, encodeJoinLink } from './lib/link.js'
export { RUN_DEFAULTS } from './lib/run-options.js'
