#!/usr/bin/env node
// Runs the symbolic model of the channel: `node tests/model/channel/run.mjs`, with ProVerif as
// `proverif` or as $PROVERIF. It compares every verdict with the one in `runs.mjs` and writes
// `channel.log`, from which `tests/build/model.test.mjs` tells whether the model was changed since.
// A name, or part of one, as an argument runs what contains it, and renews that part of the log.

import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FILES, files, HERE, RUNS, sha256, verdicts } from './runs.mjs'

const PROVERIF = process.env.PROVERIF ?? 'proverif'
const OUTPUT_BYTES_MAX = 64 << 20
const RUN_MS_MAX = 900_000

/** What ProVerif says of one run; it exits with 0 whatever it finds. */
function prove(run) {
  const paths = files(run)
  const options = [...paths.slice(0, -1).flatMap((path) => ['-lib', path]), paths.at(-1)]
  const settings = { cwd: HERE, maxBuffer: OUTPUT_BYTES_MAX, timeout: RUN_MS_MAX }
  return new Promise((resolve, reject) => {
    execFile(PROVERIF, options, settings, (error, stdout) => {
      if (error) reject(new Error(`${stdout}\n${error.message}`))
      else resolve({ command: `proverif ${options.join(' ')}`, stdout })
    })
  })
}

/** The sections of the log so far, by name; none when the files have changed since. */
function kept(head) {
  const path = join(HERE, 'channel.log')
  const log = existsSync(path) ? readFileSync(path, 'utf8') : ''
  if (!log.startsWith(head)) return new Map()
  const sections = log.trimEnd().split('\n\n# ').slice(1)
  return new Map(sections.map((section) => [section.split('\n', 1)[0], section]))
}

const { stdout: help, error } = spawnSync(PROVERIF, ['-help'], { encoding: 'utf8' })
if (error) {
  console.error(`${PROVERIF} cannot be run (${error.code}); set PROVERIF to where it is`)
  process.exit(2)
}
const word = process.argv[2] ?? ''
const hashes = FILES.map((path) => `${sha256(path)}  ${path}`)
const made = ['Made by: node tests/model/channel/run.mjs', `Tool: ${help.split('\n', 1)[0]}`]
const head = [...made, '', ...hashes, ''].join('\n')
let wrong = 0
const exact = RUNS.filter(({ name }) => name === word)
const chosen = exact.length > 0 ? exact : RUNS.filter(({ name }) => name.includes(word))
for (const run of chosen) {
  const started = performance.now()
  const { command, stdout } = await prove(run)
  const found = verdicts(stdout)
  const agrees = JSON.stringify(found) === JSON.stringify(run.expected)
  if (!agrees) wrong += 1
  const results = stdout.split('\n').filter((line) => line.startsWith('RESULT '))
  const sections = kept(head).set(run.name, [run.name, `$ ${command}`, ...results].join('\n'))
  const ordered = RUNS.flatMap(({ name }) => sections.get(name) ?? [])
  writeFileSync(join(HERE, 'channel.log'), `${[head.trimEnd(), ...ordered].join('\n\n# ')}\n`)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const expected = agrees ? '' : `, expected: ${run.expected.join(' ')}`
  console.log(
    `${agrees ? 'ok  ' : 'FAIL'} ${run.name} (${seconds} s): ${found.join(' ')}${expected}`,
  )
}
if (wrong > 0) process.exitCode = 1
