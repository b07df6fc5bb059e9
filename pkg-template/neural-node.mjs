// @ts-check
/** The neural engine alone, for Node: it reads its modules from the files beside it. */
export { SynapticError } from './lib/errors.js'
export { Network } from './lib/neural-node.js'
