#!/usr/bin/env node
// `npm run docs`: docs/limits.md from src/limits.rs and src/limits/, the examples of README.md from the package's
// own README, whose examples are tested, and tests/vectors/presets.json from the built host. So no
// page can say anything else than the code.
// With `--check` nothing is written: it fails when a page is not current.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT } from './lib/paths.mjs'
import { say, start } from './lib/run.mjs'

const SOURCES = [
  'src/limits/neural.rs',
  'src/limits.rs',
  'src/limits/history.rs',
  'src/limits/masking.rs',
  'src/limits/committing.rs',
  'src/limits/net.rs',
  'src/limits/group.rs',
  'src/limits/sampling.rs',
  'src/limits/invite.rs',
  'src/limits/sealed.rs',
  'src/limits/onion.rs',
]

/** @param {string} source the text of limits.rs @returns {string} the page */
export function limitsPage(source) {
  const page = [
    '# Limits',
    '',
    `Written by \`npm run docs\` from ${SOURCES.map(link).join(' and ')}; change it there.`,
    '',
    'Everything here bounds what a peer, a file or a user can make this process spend. At a bound',
    'there is always an error with a code, never a growing queue.',
  ]
  let doc = []
  // rustfmt breaks a long constant after `=`.
  for (const line of source.replaceAll(/=\n\s+/g, '= ').split('\n')) {
    const section = /^\/\/ -+ (.+?) -+$/.exec(line)
    if (section)
      page.push(
        '',
        `## ${capital(section[1])}`,
        '',
        '| limit | value | what and why |',
        '|---|---|---|',
      )
    if (line.startsWith('///')) {
      doc.push(line.slice(3).trim())
      continue
    }
    const constant = /^pub const (\w+): \w+ =\s*(.+);$/.exec(line)
    if (constant) {
      const cell = doc.join(' ').replaceAll('|', '\\|')
      page.push(`| \`${constant[1]}\` | \`${constant[2]}\` | ${cell} |`)
    }
    doc = []
  }
  return `${page.join('\n')}\n`
}

const link = (path) => `[\`${path}\`](../${path})`

const capital = (text) => text[0].toUpperCase() + text.slice(1)

/** Puts the package's examples, which are tested, where the repository's README shows them. */
export function withExamples(readme, source) {
  return readme.replaceAll(/<!-- example: (\w+) -->[\s\S]*?<!-- \/example -->/g, (_, name) => {
    const mark = `<!-- example: ${name} -->\n`
    const code = source.slice(source.indexOf(mark)).match(/```js\n[\s\S]*?```/)
    return `${mark}${code}\n<!-- /example -->`
  })
}

/** Presets for other inputs and outputs than their own; these fit the digits in data/. */
const FOR_DIGITS = [
  ['mlp', { inputs: 64, outputs: 10 }],
  ['decision', { inputs: 64, outputs: 10 }],
  ['vision', { inputs: [8, 8, 1], outputs: 10 }],
  ['text', { inputs: 64, outputs: 10 }],
  ['lstm', { inputs: [8, 8], outputs: 10 }],
  ['gru', { inputs: [8, 8], outputs: 10 }],
  ['lightweight', { inputs: [8, 8, 1], outputs: 10 }],
]

/** The specifications that presets come to, one per line. */
export function presetVectors({ PRESETS, PRESET_NAMES, presetSpecification }, parameterCount) {
  const line = ([name, options]) => {
    const specification = presetSpecification(name, options)
    const parameters = parameterCount(specification)
    return JSON.stringify({ name, source: PRESETS[name].source, parameters, specification })
  }
  const own = PRESET_NAMES.map((name) => [name, {}])
  return `[\n${[...own, ...FOR_DIGITS].map(line).join(',\n')}\n]\n`
}

/** A module of the built host. */
function built(name) {
  const file = join(ROOT, 'npm/dist', name)
  if (!existsSync(file)) throw new Error('the host is not built: npm run build')
  return import(pathToFileURL(file).href)
}

const read = (name) => (existsSync(join(ROOT, name)) ? readFileSync(join(ROOT, name), 'utf8') : '')

await start(async () => {
  const [presets, shapes] = await Promise.all([built('presets.js'), built('training/shapes.js')])
  const pages = {
    'docs/limits.md': limitsPage(SOURCES.map(read).join('')),
    'README.md': withExamples(read('README.md'), read('pkg-template/README.md')),
    'tests/vectors/presets.json': presetVectors(presets, shapes.parameterCount),
  }
  for (const [name, page] of Object.entries(pages)) {
    if (read(name) === page) continue
    if (process.argv.includes('--check')) throw new Error(`${name} is not current: npm run docs`)
    writeFileSync(join(ROOT, name), page)
    say(`docs: wrote ${name}`)
  }
})
