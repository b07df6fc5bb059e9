import type { VerifyProof } from './lib/proof.js'

export { type Problem, SynapticError } from './lib/errors.js'
export type { ProofOptions, VerifyProof } from './lib/proof.js'
export type { ProvenItem } from './lib/wasm.js'

/**
 * Verifies a proof that `node.proof(item)` gave, from nothing but the genesis of the network. A light
 * client is no more than this: a module of 260 kB, and neither node nor history.
 */
export declare const verifyProof: VerifyProof
