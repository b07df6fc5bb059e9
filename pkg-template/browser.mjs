// @ts-check
/**
 * The package for pages and bundlers: the modules travel along as base64, the one form that every
 * bundler carries, and are decoded when they are first needed.
 */
import { engine } from './inline.mjs'
import { proofVerifier } from './lib/proof.js'
import { artifactsOf } from './load.mjs'
import { nodeMaker } from './page.mjs'

const artifacts = artifactsOf({
  mesh: async () => WebAssembly.compile((await import('./wasm/mesh.inline.mjs')).bytes()),
  engine,
})

export const { loadMesh, loadNeural } = artifacts
export const createNode = nodeMaker(artifacts)
export const verifyProof = proofVerifier(loadMesh)
export { SynapticError } from './lib/errors.js'
export { decodeJoinLink, encodeJoinLink } from './lib/link.js'
export { RUN_DEFAULTS } from './lib/run-options.js'
