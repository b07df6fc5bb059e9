// @ts-check
/** Checking what is final, for Node: it reads its module from the file beside it. */
import { proofVerifier } from './lib/proof.js'
import { loadProof } from './lib/wasm.js'

export const verifyProof = proofVerifier(loadProof)
export { SynapticError } from './lib/errors.js'
