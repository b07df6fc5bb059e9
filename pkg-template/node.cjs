// @ts-check
/** The package for `require`: the same module, which Node 20.19 and later load synchronously. */
module.exports = require('./node.mjs')
