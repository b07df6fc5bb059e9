// @ts-check
/** Checking what is final, for pages, workers and bundlers, with its module inside. */
import { once } from './engine.mjs'
import { proofVerifier } from './lib/proof.js'

const loadProof = once(async () => {
  const [glue, inline] = await Promise.all([
    import('./wasm/proof.js'),
    import('./wasm/proof.inline.mjs'),
  ])
  glue.initSync({ module: await WebAssembly.compile(inline.bytes()) })
  return glue
})

export const verifyProof = proofVerifier(loadProof)
export { SynapticError } from './lib/errors.js'
