/**
 * The neural engine alone, for Node.
 *
 * The build puts what this imports into one file: Node takes half a millisecond for each module,
 * and there are forty of them.
 */
import { networkClass } from './neural/network.js'
import { loadFann, loadNeural } from './wasm.js'

/** Networks on the modules beside this package. */
export const Network = networkClass({ neural: loadNeural, fann: loadFann })
