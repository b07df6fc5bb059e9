// @ts-check
/**
 * The engine with its module as base64, the one form that every bundler carries: decoded when it is
 * first needed, once for all entries of the package.
 */
import { engineOf } from './engine.mjs'

export const engine = engineOf(async () =>
  WebAssembly.compile((await import('./wasm/neural.inline.mjs')).bytes()),
)
