// @ts-check
/** The neural engine alone, for pages, workers and bundlers, with its module inside. */
import { engine, loadFann } from './inline.mjs'
import { networkClass } from './lib/neural/network.js'

export const Network = networkClass({ neural: engine.loadNeural, fann: loadFann })
export { SynapticError } from './lib/errors.js'
