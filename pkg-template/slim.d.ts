/** A wasm module, in whatever form it is at hand. */
export type WasmSource =
  | WebAssembly.Module
  | ArrayBuffer
  | Uint8Array
  | Response
  | URL
  | string
  | Promise<WebAssembly.Module | ArrayBuffer | Uint8Array | Response>

/** Where the modules are: `synaptic-mesh/mesh.wasm` and `synaptic-mesh/neural.wasm`. */
export interface WasmSources {
  readonly mesh?: WasmSource
  readonly neural?: WasmSource
}

/** Says where the modules are, before anything else is called. Nothing is loaded yet. */
export declare function init(sources: WasmSources): void

export * from './index.js'
