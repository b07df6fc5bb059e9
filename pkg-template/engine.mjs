// @ts-check
/** The neural artifact by itself, so that whoever wants no mesh bundles none. */

/**
 * Calls `make` once and keeps what it gives, unless it fails: then the next call tries again.
 *
 * @template T
 * @param {() => Promise<T>} make
 * @returns {() => Promise<T>}
 */
export function once(make) {
  /** @type {Promise<T> | undefined} */
  let made
  return () => {
    made ??= make().catch((error) => {
      made = undefined
      throw error
    })
    return made
  }
}

/**
 * The artifact of a module, loaded when it is first needed.
 *
 * @typedef {Pick<import('./page.mjs').Artifacts, 'neuralModule' | 'loadNeural'>} Engine
 * @param {() => Promise<WebAssembly.Module>} module
 * @returns {Engine}
 */
export function engineOf(module) {
  const neuralModule = once(module)
  const loadNeural = once(async () => {
    const [glue, module] = await Promise.all([import('./wasm/neural.js'), neuralModule()])
    glue.initSync({ module })
    return glue
  })
  return { neuralModule, loadNeural }
}
