// @ts-check
/**
 * The training worker of a page. It is given the compiled module first, then requests.
 */
import { SynapticError } from './lib/errors.js'
import { serve } from './lib/training/serve.js'
import * as glue from './wasm/neural.js'

const port = /** @type {Worker} */ (/** @type {unknown} */ (globalThis))

const handle = serve({
  neural: async () => glue,
  fann: refuseFann,
  read: refuseFile,
  send: (reply) => port.postMessage(reply),
  end: () => {
    // A worker that closes itself is silent about it.
    port.postMessage({ ended: true })
    globalThis.close()
  },
})

port.addEventListener('message', ({ data }) => {
  if ('module' in data) glue.initSync({ module: data.module })
  else handle(data)
})
port.postMessage({ ready: true })

/** @returns {never} */
function refuseFann() {
  const hint = "use Network of 'synaptic-mesh/neural'"
  throw new SynapticError('no-fann', 'runs have no networks of FANN', hint)
}

/** @param {string} file @returns {never} */
function refuseFile(file) {
  const hint = 'give the bytes: new Uint8Array(await file.arrayBuffer())'
  throw new SynapticError('no-such-file', `a page cannot read "${file}"`, hint)
}
