#!/usr/bin/env node
// `npm test`: set-up, build, checks and every test there is. CI calls this and nothing else.
// `npm test -- --only NAME` runs the groups whose name contains NAME; `npm run check` is one.
// The last line is `N passed, N failed`; the exit code is 1 when anything failed.

import { join } from 'node:path'
import { build, buildSimulator } from './build.mjs'
import { ROOT } from './lib/paths.mjs'
import { report, run, start } from './lib/run.mjs'
import { cargoTest, check, nodeTest } from './lib/suites.mjs'
import { setup } from './setup.mjs'

const WASM = ['--target', 'wasm32-unknown-unknown']
const SMALL = ['--no-default-features', '--features', 'layers']
const FANN = ['--no-default-features', '--features', 'fann']
const SIMULATION = ['--profile', 'sim', '--features', 'sim', '--test', 'simulation']
const LOUD = ['--', '--nocapture']
const STRICT = ['--', '-D', 'warnings']
const TAIL_LINES = 120

const tool = (name) => join(ROOT, 'node_modules', name)
const tsc = (project) =>
  check(`tsc ${project}`, process.execPath, [tool('typescript/bin/tsc'), '-p', project, '--noEmit'])

/** Groups in the order of what fails fastest. `wasm` needs the driver, so it is made late. */
function groups({ chromedriver }) {
  const browser = {
    CHROMEDRIVER: chromedriver,
    WASM_BINDGEN_USE_BROWSER: '1',
    // Of all tests together: one of them waits until a silent peer is given up.
    WASM_BINDGEN_TEST_TIMEOUT: '300',
  }
  const dashboard = () =>
    run(process.execPath, [tool('typescript/bin/tsc'), '-p', 'www/tsconfig.test.json'])
  return {
    check: [
      check('cargo fmt', 'cargo', ['fmt', '--check']),
      check('biome', process.execPath, [tool('@biomejs/biome/bin/biome'), 'ci', '.']),
      check('generated pages are current', process.execPath, ['npm/scripts/docs.mjs', '--check']),
      tsc('npm/tsconfig.json'),
      tsc('www/tsconfig.json'),
      tsc('www/tsconfig.sw.json'),
      check('clippy', 'cargo', ['clippy', '--all-targets', ...STRICT]),
      check('clippy, simulator', 'cargo', [
        'clippy',
        '--all-targets',
        '--features',
        'sim',
        ...STRICT,
      ]),
      check('clippy, wasm, mesh', 'cargo', ['clippy', '--all-targets', ...WASM, ...STRICT]),
      check('clippy, wasm, simulator', 'cargo', [
        ...['clippy', ...WASM, '--no-default-features', '--features', 'sim-page', '--lib'],
        ...STRICT,
      ]),
      check('clippy, wasm, neural', 'cargo', ['clippy', ...WASM, ...SMALL, ...STRICT]),
      check('clippy, wasm, proof', 'cargo', [
        ...['clippy', ...WASM, '--no-default-features', '--features', 'truth', '--lib'],
        ...STRICT,
      ]),
      check('clippy, wasm, fann', 'cargo', ['clippy', ...WASM, ...FANN, ...STRICT]),
    ],
    rust: [
      cargoTest('cargo test', ['test', '--locked', '--no-fail-fast']),
      cargoTest('cargo test, neural only', ['test', '--locked', ...SMALL, '--lib']),
      cargoTest(
        'simulation (tests/simulation)',
        ['test', '--locked', ...SIMULATION, ...LOUD],
        {},
        /^.*(caught with seed|random scenarios from seed).*$/gm,
      ),
      cargoTest('finality engines compared (tests/comparison)', [
        'test',
        '--locked',
        ...SIMULATION.slice(0, -1),
        'comparison',
      ]),
    ],
    wasm: [
      cargoTest('wasm tests in Node', ['test', ...WASM, '--test', 'wasm']),
      cargoTest('simulation in wasm', [
        'test',
        ...WASM,
        '--features',
        'sim',
        '--test',
        'wasm',
        'simulation',
      ]),
      cargoTest('wasm tests in Chromium', ['test', ...WASM, '--test', 'wasm'], browser),
      nodeTest('core in Node (tests/core)', 'tests/core', { concurrency: 1 }),
    ],
    js: [
      nodeTest('build scripts (tests/build)', 'tests/build'),
      nodeTest('host (npm/test)', 'npm/test'),
      nodeTest('dashboard (www/test)', 'www/test', { before: dashboard }),
      nodeTest('dashboard in Chromium (www/test/browser)', 'www/test/browser', { concurrency: 1 }),
      nodeTest('simulator in Chromium (www/test/simulator)', 'www/test/simulator', {
        before: buildSimulator,
        concurrency: 1,
      }),
    ],
    package: [
      nodeTest('packed package (tests/node)', 'tests/node', { concurrency: 1 }),
      nodeTest('beside js-libp2p (tests/interop)', 'tests/interop', { concurrency: 1 }),
      nodeTest('packaging (tests/packaging)', 'tests/packaging', { concurrency: 1 }),
      nodeTest('mesh in Chromium (tests/browser)', 'tests/browser', { concurrency: 1 }),
    ],
    faults: [nodeTest('faults of the network (tests/faults)', 'tests/faults', { concurrency: 2 })],
  }
}

/** Runs one suite, prints its line, and what it said if it failed. */
async function runSuite(suite) {
  const started = performance.now()
  const {
    passed,
    failed,
    skipped,
    output,
    notes = [],
  } = await suite.run().catch((error) => ({
    passed: 0,
    failed: 1,
    skipped: 0,
    output: error.stack ?? String(error),
  }))
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const rest = skipped > 0 ? `, ${skipped} skipped` : ''
  if (failed > 0) console.log(output.trimEnd().split('\n').slice(-TAIL_LINES).join('\n'))
  const mark = failed > 0 ? 'FAIL' : 'ok  '
  console.log(`${mark} ${suite.name}: ${passed} passed, ${failed} failed${rest} (${seconds} s)`)
  for (const note of notes) console.log(`     ${note}`)
  return { passed, failed }
}

function wanted(all) {
  const at = process.argv.indexOf('--only')
  const word = at < 0 ? '' : process.argv[at + 1]
  return Object.entries(all).flatMap(([group, suites]) =>
    suites.filter(({ name }) => group === word || name.includes(word ?? '')),
  )
}

await start(async () => {
  const total = { passed: 0, failed: 0 }
  try {
    const found = await setup({ check: true, chromium: 'required' })
    const suites = wanted(groups(found))
    if (suites.length === 0) throw new Error('nothing is called that; see npm/scripts/test.mjs')
    await build()
    for (const suite of suites) {
      const { passed, failed } = await runSuite(suite)
      total.passed += passed
      total.failed += failed
    }
  } catch (error) {
    // A machine that lacks something, or a build that fails: said, and counted like a failed test.
    total.failed += 1
    report(error)
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed`)
  if (total.failed > 0) process.exitCode = 1
})
