/** The artifacts of this build. */
import { readFileSync } from 'node:fs'

const loaded = new Map()

/** Loads the neural artifact, once. */
export function neural() {
  return once('neural')
}

/** Loads the FANN artifact, once. */
export function fann() {
  return once('fann')
}

function once(name) {
  if (!loaded.has(name)) loaded.set(name, load(name))
  return loaded.get(name)
}

async function load(name) {
  const folder = new URL(`../../pkg/${name}/`, import.meta.url)
  const glue = await import(new URL(`${name}.js`, folder).href)
  const bytes = readFileSync(new URL(`${name}_bg.wasm`, folder))
  glue.initSync({ module: await WebAssembly.compile(bytes) })
  return glue
}
