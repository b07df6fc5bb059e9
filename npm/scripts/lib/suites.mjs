// How a suite is run and counted: cargo's harness, wasm-bindgen's, and Node's all end in totals.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './paths.mjs'
import { run } from './run.mjs'

/**
 * @typedef {{ passed: number, failed: number, skipped: number, output: string, notes?: string[] }} Counts
 * @typedef {{ name: string, run(): Promise<Counts> }} Suite
 */

const NONE = { passed: 0, failed: 0, skipped: 0, output: '' }

/** A command that is one check: it passes or it fails. */
export function check(name, command, args, options = {}) {
  return {
    name,
    async run() {
      const { code, output } = await run(command, args, { ...options, allowFailure: true })
      return code === 0 ? { ...NONE, passed: 1 } : { ...NONE, failed: 1, output }
    },
  }
}

/**
 * Anything that ends in `test result: ok. 3 passed; 0 failed; 1 ignored;` lines. What `noted` finds
 * in the output is told also when all passed: figures that a reader should see.
 */
export function cargoTest(name, args, env = {}, noted = undefined) {
  return {
    name,
    async run() {
      const { code, output } = await run('cargo', args, { env, allowFailure: true })
      const totals = [
        ...output.matchAll(/test result: .*? (\d+) passed; (\d+) failed; (\d+) ignored/g),
      ]
      const sum = (index) => totals.reduce((all, total) => all + Number(total[index]), 0)
      const notes = noted ? (output.match(noted) ?? []) : []
      const counts = { passed: sum(1), failed: sum(2), skipped: sum(3), output, notes }
      return judged(counts, code)
    },
  }
}

/** A file that takes longer than this hangs; the longest takes two minutes on two busy cores. */
const HANGS = '--test-timeout=420000'

/** All `*.test.mjs` and `*.spec.mjs` directly in `folder`, by node:test; why any are skipped is told. */
export function nodeTest(name, folder, { concurrency, before } = {}) {
  return {
    name,
    async run() {
      const files = testFiles(folder)
      if (files.length === 0) return { ...NONE, failed: 1, output: `no test files in ${folder}` }
      await before?.()
      const scratch = mkdtempSync(join(tmpdir(), 'synaptic-mesh-tap-'))
      const tap = join(scratch, 'tap')
      try {
        const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout']
        reporters.push('--test-reporter=tap', `--test-reporter-destination=${tap}`)
        const limit = concurrency ? [`--test-concurrency=${concurrency}`] : []
        const args = ['--test', HANGS, ...limit, ...reporters, ...files]
        const { code, output } = await run(process.execPath, args, { allowFailure: true })
        const text = existsSync(tap) ? readFileSync(tap, 'utf8') : ''
        const total = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
        const failed = total('fail') + total('cancelled')
        const skipped = total('skipped') + total('todo')
        const notes = [...new Set([...text.matchAll(/# SKIP (.+)$/gm)].map(([, why]) => why))]
        const counts = { passed: total('pass'), failed, skipped, output }
        return judged({ ...counts, notes: notes.map((why) => `skipped: ${why}`) }, code)
      } finally {
        rmSync(scratch, { recursive: true, force: true })
      }
    },
  }
}

/**
 * A harness that failed without counting a failure (it did not compile, it crashed) is one, and so
 * is one that passed nothing: its totals were not understood, or a filter left no test.
 */
export function judged(counts, code) {
  if (counts.failed > 0 || (code === 0 && counts.passed > 0)) return counts
  const output = code === 0 ? `${counts.output}\nno test has passed` : counts.output
  return { ...counts, failed: 1, output }
}

export function testFiles(folder) {
  const place = join(ROOT, folder)
  if (!existsSync(place)) return []
  return readdirSync(place)
    .filter((name) => /\.(test|spec)\.mjs$/.test(name))
    .sort()
    .map((name) => join(place, name))
}
