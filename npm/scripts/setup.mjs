#!/usr/bin/env node
// Everything a fresh machine lacks, fetched by itself: `npm run demo`, `npm test` and
// `npm run build` call this first. It says what it installs and why, does nothing twice, and where
// it cannot help itself names the missing thing and the command that gets it.
// It runs before `npm ci`, so it uses nothing but Node.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CARGO_HOME, childEnvironment, ROOT, TOOLS } from './lib/paths.mjs'
import { ask, Missing, npm, report, run, say, start } from './lib/run.mjs'
import { parseToml } from './lib/toml.mjs'

const NODE_FLOOR = [20, 19]
const WASM_TARGET = 'wasm32-unknown-unknown'
const RUSTUP = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"

/**
 * Brings the machine to the state that building and testing need.
 * @param {{ check?: boolean, chromium?: 'required' | 'wanted' | 'no' }} options
 *   `check` adds rustfmt and clippy; a `wanted` Chromium that cannot be had is said, not fatal.
 * @returns {Promise<{ chromium: string | null, chromedriver: string | null }>}
 */
export async function setup({ check = false, chromium = 'no' } = {}) {
  requireNode()
  await requireLinker()
  await requireRust(check)
  await requireCargoTools()
  await requireNodeModules()
  if (check) await wantFann()
  if (check) await wantBeside('reference', 'the reference implementation of negentropy')
  if (check) await wantBeside('libp2p', 'js-libp2p, and Node.js 22 for it where this one is older')
  return chromium === 'no' ? findBrowser() : await requireChromium(chromium === 'required')
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1])) return
  throw new Missing(
    `Node.js ${NODE_FLOOR.join('.')} or newer (this is ${process.versions.node})`,
    'https://nodejs.org/en/download, or your version manager: nvm install 24',
  )
}

/** Rust links its programs with the system's C compiler; a bare Debian has none. */
async function requireLinker() {
  if (process.platform === 'win32' || which('cc')) return
  const got = await aptInstall(['gcc', 'libc6-dev'], 'Rust links its programs with `cc`')
  if (!got) throw new Missing('a C linker (`cc`), which Rust uses', 'sudo apt-get install gcc')
}

async function requireRust(check) {
  const rustup = which('rustup')
  if (!which('cargo')) throw new Missing('Rust (`cargo` is not in PATH)', RUSTUP)
  if (rustup && !ask('rustc')) {
    say('setup: installing the stable Rust toolchain (rustup has none yet)')
    await run('rustup', ['default', 'stable'])
  }
  const version = ask('rustc')?.split(' ')[1] ?? '0.0.0'
  const floor = /^rust-version = "(.*)"$/m.exec(read('Cargo.toml'))[1]
  if (compare(version, floor) < 0) {
    throw new Missing(`Rust ${floor} or newer (this is ${version})`, 'rustup update stable')
  }
  const library = join(ask('rustc', ['--print', 'sysroot']), 'lib', 'rustlib', WASM_TARGET, 'lib')
  if (!existsSync(library)) {
    if (!rustup)
      throw new Missing(`Rust's library for ${WASM_TARGET}, and rustup to add it`, RUSTUP)
    say(`setup: adding Rust's ${WASM_TARGET} target (the mesh is compiled to WebAssembly)`)
    await run('rustup', ['target', 'add', WASM_TARGET])
  }
  const absent = ['rustfmt', 'clippy'].filter((part) => !ask('cargo', [command(part), '--version']))
  if (!check || absent.length === 0) return
  if (!rustup) throw new Missing(`${absent.join(' and ')}, and rustup to add them`, RUSTUP)
  say(`setup: adding ${absent.join(' and ')} (the checks use them)`)
  await run('rustup', ['component', 'add', ...absent])
}

const command = (part) => (part === 'rustfmt' ? 'fmt' : part)

/** The versions come from the files that decide them: Cargo.lock and wasm-pack.toml. */
function toolsNeeded() {
  const bindgen = /name = "wasm-bindgen"\nversion = "([\d.]+)"/.exec(read('Cargo.lock'))[1]
  const pack = parseToml(read('wasm-pack.toml')).tools['wasm-pack']
  return [
    {
      crate: 'wasm-bindgen-cli',
      command: 'wasm-bindgen',
      version: bindgen,
      why: 'writes the JS side of the wasm',
    },
    { crate: 'wasm-pack', command: 'wasm-pack', version: pack, why: 'drives the wasm build' },
  ]
}

async function requireCargoTools() {
  for (const tool of toolsNeeded()) {
    if (ask(tool.command)?.split(' ')[1] === tool.version) continue
    // Another version in the user's own directory may serve another project: it stays.
    const taken = existsSync(join(CARGO_HOME, 'bin', tool.command))
    const root = taken ? ['--root', TOOLS] : []
    say(
      `setup: cargo install ${tool.crate} ${tool.version} into ${taken ? TOOLS : CARGO_HOME} ` +
        `(${tool.why}; compiling it takes a minute or two)`,
    )
    const args = ['install', tool.crate, '--version', tool.version, '--locked', '--force', ...root]
    await run('cargo', args, { env: { CARGO_TARGET_DIR: TOOLS } })
  }
}

/** The lock file's hash, kept beside what it installed: a clone's file times say nothing. */
async function requireNodeModules() {
  const stamp = join(ROOT, 'node_modules', '.installed-from')
  const lock = createHash('sha256')
    .update(read('package-lock.json'))
    .update(`${process.platform} ${process.arch}`)
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  say('setup: npm ci (bundler, type checker, test browser driver, wasm optimiser)')
  await npm(['ci', '--no-audit', '--no-fund'])
  writeFileSync(stamp, lock)
}

const FANN_PLACES = ['/usr/include', '/usr/local/include', '/opt/homebrew/include']

/** libfann, which tests/fann_interop.rs compares with; without it that test is ignored. */
async function wantFann() {
  const found = () => FANN_PLACES.some((place) => existsSync(join(place, 'floatfann.h')))
  if (found()) return
  await aptInstall(['libfann-dev'], 'the tests compare FANN networks with libfann').catch(report)
  if (!found()) {
    say(
      'setup: no libfann; its comparison is left out. Get it with: sudo apt-get install libfann-dev',
    )
  }
}

/** What tests of tests/interop compare with; they are skipped without. */
async function wantBeside(folder, what) {
  const place = join(ROOT, 'tests/interop', folder)
  const lock = readFileSync(join(place, 'package-lock.json'))
  const digest = createHash('sha256').update(lock).digest('hex')
  const stamp = join(place, 'node_modules/.installed-from')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  say(`setup: npm ci in tests/interop/${folder} (${what})`)
  const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
  try {
    await npm(['ci', ...quiet], { cwd: place })
    writeFileSync(stamp, digest)
  } catch (error) {
    report(error)
  }
}

const CHROMIUM_NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'chrome',
]
const CHROMIUM_PLACES = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome']

/** An installed Chromium and its driver; `CHROMIUM` and `CHROMEDRIVER` name others. */
export function findBrowser() {
  const chromium =
    process.env.CHROMIUM ||
    CHROMIUM_NAMES.map(which).find(Boolean) ||
    CHROMIUM_PLACES.find((path) => existsSync(path)) ||
    null
  return { chromium, chromedriver: process.env.CHROMEDRIVER || which('chromedriver') }
}

async function requireChromium(required) {
  let found = findBrowser()
  if (found.chromium && (found.chromedriver || !required)) return found
  const packages = ['chromium', 'chromium-driver']
  await aptInstall(packages, 'a browser tab is a member of the mesh, and the tests open one')
  found = findBrowser()
  if (found.chromium && (found.chromedriver || !required)) return found
  const what = found.chromium ? 'chromedriver (of the same version as Chromium)' : 'Chromium'
  const how = `sudo apt-get install ${packages.join(' ')}, or install Chrome and set CHROMIUM=/path`
  if (required) throw new Missing(what, how)
  say(`setup: no ${what}; going on without a browser tab. Get it with: ${how}`)
  return found
}

/** Installs Debian packages where that is ours to do: as root, on a machine with apt-get. */
export async function aptInstall(packages, why) {
  if (process.getuid?.() !== 0 || !which('apt-get')) return false
  say(`setup: apt-get install ${packages.join(' ')} (${why})`)
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-q'], { env, allowFailure: true })
  await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], { env })
  return true
}

const read = (name) => readFileSync(join(ROOT, name), 'utf8')

/** The file a command name stands for, or null. */
function which(name) {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const places = childEnvironment()
    .PATH.split(delimiter)
    .map((place) => join(place, name + suffix))
  return places.find((path) => existsSync(path)) ?? null
}

function compare(left, right) {
  const parts = (version) => version.split('.').map((part) => Number.parseInt(part, 10) || 0)
  const [a, b] = [parts(left), parts(right)]
  for (let index = 0; index < 3; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await start(async () => {
    const found = await setup({ check: true, chromium: 'wanted' })
    say(`setup: ready (Chromium: ${found.chromium ?? 'none'})`)
  })
}
