/** The part of the WebAssembly interface that is used here; Node's types leave it out. */
declare namespace WebAssembly {
  class Module {}
  class RuntimeError extends Error {}
  function compile(bytes: Uint8Array): Promise<Module>
  function validate(bytes: Uint8Array): boolean
}
