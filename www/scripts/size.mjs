/**
 * The byte budget of the built page: all JavaScript except wasm glue, gzipped, at most 150 KB.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const BUDGET_BYTES = 150_000

const dist = new URL('../dist/', import.meta.url)
const files = readdirSync(dist, { recursive: true }).filter((name) => name.endsWith('.js'))
const sizes = files.map((name) => [name, gzipSync(readFileSync(new URL(name, dist))).length])
const total = sizes.reduce((sum, [, size]) => sum + size, 0)
for (const [name, size] of sizes) console.log(`${String(size).padStart(8)} ${name}`)
console.log(`${String(total).padStart(8)} bytes of JavaScript, gzipped; ${BUDGET_BYTES} allowed`)
if (total > BUDGET_BYTES) {
  console.error('The page is over its budget: look at what was imported last.')
  process.exitCode = 1
}
