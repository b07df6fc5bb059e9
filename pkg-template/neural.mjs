// @ts-check
/** The neural engine alone, for pages, workers and bundlers, with its module inside. */
import { engine } from './inline.mjs'
import { networkClass } from './lib/neural/network.js'

export const Network = networkClass(engine.loadNeural)
export { SynapticError } from './lib/errors.js'
