// One row of wasm-pack.toml made into files: compiled, optimised, measured, and inlined.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { CARGO_HOME, ROOT } from './paths.mjs'
import { ask, CommandFailed, run } from './run.mjs'
import { step } from './stamp.mjs'

const OPTIMISER = 'node_modules/binaryen/bin/wasm-opt'

/** What the compiled module depends on, besides the compiler and its own row of the matrix. */
const INPUTS = ['src', 'Cargo.toml', 'Cargo.lock', 'npm/scripts/lib/artifact.mjs']

/**
 * Builds one artifact into `pkg/<name>/` and checks its budget.
 * @returns {Promise<{ digest: string, size: Size }>}
 * @typedef {{ name: string, raw: number, gzip: number, rawMax: number, gzipMax: number }} Size
 */
export async function buildArtifact(artifact, flags) {
  const { name } = artifact
  const folder = `pkg/${name}`
  const output = `${folder}/${name}.inline.mjs`
  const { target, profile, features, 'default-features': standard } = artifact
  const row = JSON.stringify({ target, profile, features, standard, ...flags })
  const words = [row, ask('rustc') ?? '', read('node_modules/binaryen/package.json')]
  const about = { name: `wasm artifact ${name}`, inputs: INPUTS, words, output }
  const digest = await step({ ...about, stamp: `${folder}/.stamp` }, async () => {
    rmSync(join(ROOT, folder), { recursive: true, force: true })
    await compile(artifact, folder, flags)
    await optimise(`${folder}/${name}_bg.wasm`, flags['wasm-opt'])
    inline(`${folder}/${name}_bg.wasm`, output)
    declare(`${folder}/${name}.d.ts`)
    guard(`${folder}/${name}.js`)
    checkModule(readFileSync(join(ROOT, folder, `${name}_bg.wasm`)))
  })
  const size = measure(artifact, `${folder}/${name}_bg.wasm`)
  return { digest, size }
}

async function compile(artifact, folder, flags) {
  const args = [
    ...['build', '--target', artifact.target, ...profileOf(artifact)],
    ...['--mode', 'no-install', '--no-pack'],
    ...['--out-dir', folder, '--out-name', artifact.name, '.', '--', '--locked'],
    ...(artifact['default-features'] ? [] : ['--no-default-features']),
    ...(artifact.features.length > 0 ? ['--features', artifact.features.join(',')] : []),
  ]
  await run('cargo', ['fetch', '--locked'])
  const rustflags = [...flags.rustflags, ...withoutPaths()]
  await run('wasm-pack', args, { env: { CARGO_ENCODED_RUSTFLAGS: rustflags.join('\x1f') } })
  // wasm-pack ignores its own output by a file that npm would then obey when packing.
  rmSync(join(ROOT, folder, '.gitignore'), { force: true })
}

/** wasm-pack has a flag for each of its own profiles, and one that names any other. */
function profileOf({ profile }) {
  return ['dev', 'profiling', 'release'].includes(profile)
    ? [`--${profile}`]
    : ['--profile', profile]
}

/**
 * Panics name their source file. Without the places where this machine keeps sources, the same
 * commit gives the same bytes everywhere, and nobody learns who built it.
 */
function withoutPaths() {
  const registries = join(CARGO_HOME, 'registry', 'src')
  const sources = existsSync(registries) ? readdirSync(registries) : []
  const places = [...sources.map((name) => join(registries, name)), ROOT.replace(/\/$/, '')]
  return places.map((place) => `--remap-path-prefix=${place}=.`)
}

async function optimise(file, flags) {
  const optimised = `${file}.optimised`
  await run(process.execPath, [OPTIMISER, ...flags, file, '-o', optimised])
  writeFileSync(join(ROOT, file), readFileSync(join(ROOT, optimised)))
  rmSync(join(ROOT, optimised))
}

/** The module as text, for entries that must work in every bundler and without a second request. */
function inline(wasm, output) {
  const text = readFileSync(join(ROOT, wasm)).toString('base64')
  writeFileSync(
    join(ROOT, output),
    `// The module as base64: the form that every bundler carries along.
const text =
  '${text}'

/** The bytes of the module, decoded by the fastest means the host has. */
export function bytes() {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text)
  if (globalThis.Buffer?.from) return new Uint8Array(globalThis.Buffer.from(text, 'base64'))
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
`,
  )
  writeFileSync(
    join(ROOT, output.replace(/\.mjs$/, '.d.mts')),
    '/** The bytes of the module. */\nexport declare function bytes(): Uint8Array<ArrayBuffer>\n',
  )
}

/**
 * The generated declarations end with how the module is loaded: every internal function with its
 * `any`s, and types that only a page has. Host and dashboard are written against the rest, and so
 * are the programs of users, who may have no types of a page.
 */
function declare(file) {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const end = text.indexOf('export type InitInput =')
  if (end < 0) throw new CommandFailed('wasm types', 'declarations in an unknown order', file)
  writeFileSync(
    join(ROOT, file),
    `${text.slice(0, end)}/** Loads from a compiled \`WebAssembly.Module\`. */
export function initSync(options: { module: object }): unknown;

/** Loads from a \`Response\` that streams the module. */
export default function init(options: { module_or_path: object }): Promise<unknown>;
`,
  )
}

/**
 * Texts and bytes are checked where they cross: wasm-bindgen takes anything for them, and a number
 * for a text reads memory that is not there.
 */
function guard(file) {
  let glue = readFileSync(join(ROOT, file), 'utf8')
  for (const [start, wrong, kind] of [
    ['function passStringToWasm0(arg, malloc, realloc) {', "typeof arg !== 'string'", 'a text'],
    ['function passArray8ToWasm0(arg, malloc) {', '!(arg instanceof Uint8Array)', 'a Uint8Array'],
  ]) {
    const [before, after, ...more] = glue.split(start)
    if (after === undefined) continue
    if (more.length > 0) throw new CommandFailed('wasm glue', 'two functions of one name', start)
    glue = `${before}${start}\n    if (${wrong}) throw badArgument('${kind}', arg);${after}`
  }
  writeFileSync(
    join(ROOT, file),
    `${glue}
function badArgument(kind, arg) {
    const found = arg === null ? 'null' : typeof arg;
    return Object.assign(new TypeError(\`an argument must be \${kind}, not \${found}\`), {
        code: 'bad-argument',
        hint: 'see the type declarations of the package',
    });
}
`,
  )
}

/** An import of `env` wants a C library nobody lends: found here, not in a browser. */
function checkModule(wasm) {
  for (const place of [CARGO_HOME, ROOT]) {
    if (!wasm.includes(place)) continue
    throw new CommandFailed('wasm paths', 'a path of this machine in the module', place)
  }
  const foreign = WebAssembly.Module.imports(new WebAssembly.Module(wasm))
    .map((one) => one.module)
    .filter((module) => !/_bg(\.js)?$|^wbg$|^__wbindgen/.test(module))
  if (foreign.length === 0) return
  throw new CommandFailed('wasm imports', 'an import nobody provides', [...new Set(foreign)].join())
}

function measure(artifact, file) {
  const wasm = readFileSync(join(ROOT, file))
  return {
    name: artifact.name,
    raw: wasm.length,
    gzip: gzipSync(wasm, { level: 9 }).length,
    rawMax: artifact['budget-raw-bytes'],
    gzipMax: artifact['budget-gzip-bytes'],
  }
}

/** Fails when an artifact outgrew its budget; returns a table line per artifact otherwise. */
export function checkBudgets(sizes) {
  const size = (bytes) => `${(bytes / 1000).toFixed(1)} kB`
  const lines = sizes.map(
    ({ name, raw, gzip, rawMax, gzipMax }) =>
      `${name.padEnd(8)} ${size(raw)} of ${size(rawMax)}, gzip ${size(gzip)} of ${size(gzipMax)}`,
  )
  const over = sizes.some(({ raw, gzip, rawMax, gzipMax }) => raw > rawMax || gzip > gzipMax)
  if (over) {
    const advice = 'make it smaller, or raise the budget in wasm-pack.toml and say why'
    throw new CommandFailed(
      'budgets',
      'an artifact over its budget',
      `${lines.join('\n')}\n${advice}`,
    )
  }
  return lines
}

const read = (name) => (existsSync(join(ROOT, name)) ? readFileSync(join(ROOT, name), 'utf8') : '')
