#!/usr/bin/env node
// `npm run docs`: docs/limits.md from src/limits.rs, and the examples of README.md from the
// package's own README, whose examples are tested. So no page can say anything else than the code.
// With `--check` nothing is written: it fails when a page is not current.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './lib/paths.mjs'
import { say, start } from './lib/run.mjs'

const SOURCE = 'src/limits.rs'

/** @param {string} source the text of limits.rs @returns {string} the page */
export function limitsPage(source) {
  const page = [
    '# Limits',
    '',
    `Written by \`npm run docs\` from [\`${SOURCE}\`](../${SOURCE}); change it there.`,
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

const capital = (text) => text[0].toUpperCase() + text.slice(1)

/** Puts the package's examples, which are tested, where the repository's README shows them. */
export function withExamples(readme, source) {
  return readme.replaceAll(/<!-- example: (\w+) -->[\s\S]*?<!-- \/example -->/g, (_, name) => {
    const mark = `<!-- example: ${name} -->\n`
    const code = source.slice(source.indexOf(mark)).match(/```js\n[\s\S]*?```/)
    return `${mark}${code}\n<!-- /example -->`
  })
}

const read = (name) => (existsSync(join(ROOT, name)) ? readFileSync(join(ROOT, name), 'utf8') : '')

await start(async () => {
  const pages = {
    'docs/limits.md': limitsPage(read(SOURCE)),
    'README.md': withExamples(read('README.md'), read('pkg-template/README.md')),
  }
  for (const [name, page] of Object.entries(pages)) {
    if (read(name) === page) continue
    if (process.argv.includes('--check')) throw new Error(`${name} is not current: npm run docs`)
    writeFileSync(join(ROOT, name), page)
    say(`docs: wrote ${name}`)
  }
})
