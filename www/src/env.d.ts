/** What the bundler provides at build time. */
interface ImportMeta {
  readonly env: { readonly PROD: boolean }
}

declare module '*.css'

declare module '*.wasm?url' {
  const url: string
  export default url
}
