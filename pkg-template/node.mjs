// @ts-check
/** The package for Node: it reads its modules from the files beside it, once per thread. */

export { openHistory } from './lib/dag/history.js'
export * from './lib/index.js'
