// @ts-check
/**
 * The engine with its module as base64, the one form that every bundler carries: decoded when it is
 * first needed, once for all entries of the package.
 */
import { engineOf, once } from './engine.mjs'

export const engine = engineOf(async () =>
  WebAssembly.compile((await import('./wasm/neural.inline.mjs')).bytes()),
)

/** The FANN engine, which only who uses it loads. */
export const loadFann = once(async () => {
  const [glue, inline] = await Promise.all([
    import('./wasm/fann.js'),
    import('./wasm/fann.inline.mjs'),
  ])
  glue.initSync({ module: await WebAssembly.compile(inline.bytes()) })
  return glue
})
