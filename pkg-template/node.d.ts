export * from './index.js'

// Only Node has files; a page keeps its history in IndexedDB.
export { openHistory } from './lib/dag/history.js'
