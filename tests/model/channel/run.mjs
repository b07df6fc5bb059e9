#!/usr/bin/env node
// Runs the symbolic model of the channel: `node tests/model/channel/run.mjs`, with ProVerif as
// `proverif` or as $PROVERIF. It compares every verdict with the one in `runs.mjs` and writes
// `channel.log`, from which `tests/build/model.test.mjs` tells whether the model was changed since.
// A name, or part of one, as an argument runs what contains it, and writes no log.

import { execFile, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FILES, files, HERE, RUNS, sha256, verdicts } from './runs.mjs'

const PROVERIF = process.env.PROVERIF ?? 'proverif'
const OUTPUT_BYTES_MAX = 64 << 20

/** What ProVerif says of one run; it exits with 0 whatever it finds. */
function prove(run) {
  const paths = files(run)
  const options = [...paths.slice(0, -1).flatMap((path) => ['-lib', path]), paths.at(-1)]
  const settings = { cwd: HERE, maxBuffer: OUTPUT_BYTES_MAX }
  return new Promise((resolve, reject) => {
    execFile(PROVERIF, options, settings, (error, stdout) => {
      if (error) reject(new Error(`${stdout}\n${error.message}`))
      else resolve({ command: `proverif ${options.join(' ')}`, stdout })
    })
  })
}

const { stdout: help, error } = spawnSync(PROVERIF, ['-help'], { encoding: 'utf8' })
if (error) {
  console.error(`${PROVERIF} cannot be run (${error.code}); set PROVERIF to where it is`)
  process.exit(2)
}
const [version] = help.split('\n')
const word = process.argv[2] ?? ''
const log = [
  'Made by: node tests/model/channel/run.mjs',
  `Tool: ${version}`,
  '',
  ...FILES.map((path) => `${sha256(path)}  ${path}`),
]
let wrong = 0
for (const run of RUNS.filter(({ name }) => name.includes(word))) {
  const started = performance.now()
  const { command, stdout } = await prove(run)
  const found = verdicts(stdout)
  const agrees = JSON.stringify(found) === JSON.stringify(run.expected)
  if (!agrees) wrong += 1
  const results = stdout.split('\n').filter((line) => line.startsWith('RESULT '))
  log.push('', `# ${run.name}`, `$ ${command}`, ...results)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const expected = agrees ? '' : `, expected: ${run.expected.join(' ')}`
  console.log(`${agrees ? 'ok  ' : 'FAIL'} ${run.name} (${seconds} s): ${found.join(' ')}${expected}`)
}
if (word === '') writeFileSync(join(HERE, 'channel.log'), `${log.join('\n')}\n`)
if (wrong > 0) process.exitCode = 1
