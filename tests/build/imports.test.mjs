// What the runner's scripts import: on a fresh clone no package is installed when they start, so
// what they load at once is Node's own or lies in the repository.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const STATIC_IMPORT = /^(?:import|export|\}) ?(?:[^'"]*? from )?'([^']+)'/gm

/** `[file, specifier]` of each package that `script`, or what it imports, loads at once. */
function packagesOf(script, seen = new Set()) {
  if (seen.has(script)) return []
  seen.add(script)
  const found = []
  for (const [, specifier] of readFileSync(script, 'utf8').matchAll(STATIC_IMPORT)) {
    if (specifier.startsWith('.')) found.push(...packagesOf(join(dirname(script), specifier), seen))
    else if (!specifier.startsWith('node:')) found.push([relative(ROOT, script), specifier])
  }
  return found
}

test('every npm script starts before a package is installed', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const files = Object.values(scripts).map((words) => words.split(' ')[1])
  assert.ok(files.includes('npm/scripts/test.mjs'), 'the scripts are found')
  // What benches/main.mjs goes on to.
  const measuring = ['mesh', 'net', 'neural'].map((name) => `benches/${name}.mjs`)
  for (const file of [...files, ...measuring])
    assert.deepEqual(packagesOf(join(ROOT, file)), [], file)
})

test('a package that is imported at once is found through other files', () => {
  const found = packagesOf(join(ROOT, 'www/vite.config.ts'))
  assert.ok(
    found.some(([, specifier]) => specifier === 'vite'),
    'the control: this file imports vite',
  )
})
