// @ts-check
/**
 * From whatever somebody has of a wasm module to the functions it exports.
 */
import { once } from './engine.mjs'
import { SynapticError } from './lib/errors.js'

/** `\0asm`: what every module starts with, and no page of a server that answers everything. */
const MAGIC = [0x00, 0x61, 0x73, 0x6d]

/**
 * A compiled module from bytes, a `Module`, a `Response`, or the address of one.
 *
 * @param {import('./slim.d.ts').WasmSource} source
 * @returns {Promise<WebAssembly.Module>}
 */
export async function moduleOf(source) {
  const given = await source
  if (given instanceof WebAssembly.Module) return given
  if (typeof given === 'string' || given instanceof URL) return moduleOf(fetch(given))
  if (typeof Response !== 'undefined' && given instanceof Response) {
    if (!given.ok) throw notWasm(`${given.url} was answered with status ${given.status}`)
    return moduleOf(given.arrayBuffer())
  }
  const bytes = given instanceof ArrayBuffer ? new Uint8Array(given) : given
  if (!(bytes instanceof Uint8Array) || MAGIC.some((byte, index) => bytes[index] !== byte)) {
    throw notWasm('what was given does not start like one')
  }
  return WebAssembly.compile(/** @type {BufferSource} */ (bytes))
}

/** @param {string} detail */
function notWasm(detail) {
  const hint = 'serve the file wasm/*_bg.wasm of the package itself, not a fallback page'
  return new SynapticError('wasm-unavailable', `this is not a WebAssembly module: ${detail}`, hint)
}

/**
 * The artifacts, each loaded when it is first needed. The glue is imported then too, so that a
 * page that only runs a model does not fetch the mesh.
 *
 * @param {{ mesh(): Promise<WebAssembly.Module>, engine: import('./engine.mjs').Engine }} modules
 * @returns {import('./page.mjs').Artifacts}
 */
export function artifactsOf({ mesh, engine }) {
  const loadMesh = once(async () => {
    const [glue, module] = await Promise.all([import('./wasm/mesh.js'), mesh()])
    glue.initSync({ module })
    return glue
  })
  return { ...engine, loadMesh }
}
