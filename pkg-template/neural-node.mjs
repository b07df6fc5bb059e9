// @ts-check
/** The neural engine alone, for Node: it reads its modules from the files beside it. */
import { networkClass } from './lib/neural/network.js'
import { loadFann, loadNeural } from './lib/wasm.js'

export const Network = networkClass({ neural: loadNeural, fann: loadFann })
export { SynapticError } from './lib/errors.js'
