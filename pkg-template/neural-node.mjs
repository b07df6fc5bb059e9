// @ts-check
/** The neural engine alone, for Node: it reads its module from the file beside it. */
import { networkClass } from './lib/neural/network.js'
import { loadNeural } from './lib/wasm.js'

export const Network = networkClass(loadNeural)
export { SynapticError } from './lib/errors.js'
