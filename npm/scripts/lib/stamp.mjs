// Steps that are skipped while nothing they read has changed.
// Contents are compared, not times: a fresh clone or a switched branch has meaningless times.

import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { ROOT } from './paths.mjs'
import { say } from './run.mjs'

const SKIPPED = new Set(['node_modules', 'dist', 'target', '.git'])

/** All files below `path` (or the file itself), in a stable order; nothing where it is absent. */
export function filesIn(path) {
  if (!existsSync(path)) return []
  if (statSync(path).isFile()) return [path]
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => !SKIPPED.has(entry.name))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => filesIn(join(path, entry.name)))
}

/** One digest over the names and contents of files, and over further words. */
export function digest(paths, words = []) {
  const hash = createHash('sha256')
  for (const path of paths.flatMap((one) => filesIn(join(ROOT, one)))) {
    hash.update(`${relative(ROOT, path).split(sep).join('/')}\0`).update(readFileSync(path))
  }
  return hash.update(words.join('\0')).digest('hex')
}

/**
 * Runs `action` unless `inputs` and `words` are what they were when `output` was made.
 * The stamp is removed first and written last: an interrupted step runs again.
 * @returns {Promise<string>} the digest of the inputs, as an input for later steps
 */
export async function step({ name, inputs, words = [], output, stamp }, action) {
  const now = digest(inputs, words)
  const place = join(ROOT, stamp)
  if (existsSync(join(ROOT, output)) && existsSync(place) && readFileSync(place, 'utf8') === now) {
    return now
  }
  const started = performance.now()
  rmSync(place, { force: true })
  await action()
  mkdirSync(dirname(place), { recursive: true })
  writeFileSync(place, now)
  say(`build: ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  return now
}
