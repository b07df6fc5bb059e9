/**
 * The package as a stranger gets it: packed by npm, installed in an empty folder outside this
 * repository, without install scripts. Made once per build and kept for the suites that follow.
 */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../dist/', import.meta.url))
const PREFIX = 'synaptic-mesh-packed-'

/**
 * @returns {{ folder: string, package: string, tarball: string }} the folder it is installed in, the
 *   package inside it, and the tarball it came from
 */
export function packed() {
  const stamp = join(DIST, '.stamp')
  if (!existsSync(stamp)) throw new Error('dist/ is not built: npm run build')
  const name = `${PREFIX}${process.getuid?.() ?? 0}-${readFileSync(stamp, 'utf8').slice(0, 16)}`
  const folder = join(tmpdir(), name)
  if (!existsSync(folder)) install(folder, name)
  const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz'))
  return {
    folder,
    package: join(folder, 'node_modules/synaptic-mesh'),
    tarball: join(folder, tarball),
  }
}

function install(folder, name) {
  for (const old of readdirSync(tmpdir())) {
    const ours = old.startsWith(name.slice(0, -16)) && !old.startsWith(`${name}.`)
    if (ours) rmSync(join(tmpdir(), old), { recursive: true, force: true })
  }
  const building = mkdtempSync(join(tmpdir(), `${name}.`))
  const manifest = { name: 'stranger', version: '1.0.0', private: true, type: 'module' }
  writeFileSync(join(building, 'package.json'), JSON.stringify(manifest))
  npm(['pack', DIST, '--pack-destination', building], building)
  const tarball = readdirSync(building).find((file) => file.endsWith('.tgz'))
  // From npm's cache where it can: every test run would otherwise ask the registry again.
  const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
  npm(['install', ...quiet, join(building, tarball)], building)
  // Renamed when complete, so that an interrupted install is not taken for one.
  try {
    renameSync(building, folder)
  } catch (error) {
    // Another process of the same tests was sooner.
    if (!existsSync(folder)) throw error
    rmSync(building, { recursive: true, force: true })
  }
}

/** npm as a user calls it: without what an outer `npm test` put into the environment. */
export function npm(args, cwd) {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^npm_(?!config_(cache|registry))/i.test(name),
  )
  const env = Object.fromEntries(kept)
  return execFileSync('npm', args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** A folder beside the installed package's, for a consumer of its own. */
export function scratch(name) {
  const place = join(packed().folder, 'consumers', name)
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place, { recursive: true })
  return place
}
