/** The neural artifact of this build. */
import { readFileSync } from 'node:fs'

let loaded

/** Loads it once. */
export function neural() {
  loaded ??= load()
  return loaded
}

async function load() {
  const folder = new URL('../../pkg/neural/', import.meta.url)
  const glue = await import(new URL('neural.js', folder).href)
  const bytes = readFileSync(new URL('neural_bg.wasm', folder))
  glue.initSync({ module: await WebAssembly.compile(bytes) })
  return glue
}
