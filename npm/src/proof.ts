/** Checking that something is final, without a node and without a network. */
import { toSynapticError } from './errors.js'
import { badArgument, objectArgument, onlyKnown } from './neural/arguments.js'
import type { ProofModule, ProvenItem } from './wasm.js'

/** How a proof is checked. */
export interface ProofOptions {
  /**
   * The lowest height of a checkpoint that is accepted, 0 unless given. Members of long ago may
   * have sold their keys: who knows a later height should ask for it.
   */
  readonly heightMin?: number | undefined
}

/**
 * Verifies a proof that `node.proof(item)` gave, from nothing but the genesis of the network, whose
 * hash is the network's id.
 *
 * @throws SynapticError `genesis-malformed`, `proof-malformed`, `proof-invalid`,
 *   `certificate-weight`, `certificate-signature`, `committee-invalid`
 */
export type VerifyProof = (
  genesis: Uint8Array,
  proof: Uint8Array,
  options?: ProofOptions,
) => Promise<ProvenItem>

/** `verifyProof` by an artifact, which is loaded when it is first called. */
export function proofVerifier(load: () => Promise<Pick<ProofModule, 'verifyProof'>>): VerifyProof {
  return async (genesis, proof, options = {}) => {
    onlyKnown(objectArgument(options, 'the options', '{ heightMin: 7 }'), ['heightMin'], 'a proof')
    const { heightMin } = options
    if (heightMin !== undefined && !(Number.isSafeInteger(heightMin) && heightMin >= 0)) {
      throw badArgument('heightMin', 'a whole number from 0', heightMin, '{ heightMin: 7 }')
    }
    const artifact = await load()
    try {
      return artifact.verifyProof(genesis, proof, heightMin)
    } catch (thrown) {
      throw toSynapticError(thrown)
    }
  }
}
