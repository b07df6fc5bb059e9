import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { data, run, scratch, start, until } from './cli.mjs'

/** Processes that were started in a place of their own, found by it; tabs, others, or all. */
function processesOf(place, { tabs } = {}) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return command.includes(place) && (tabs ?? isTab(command)) === isTab(command)
      } catch {
        // It has ended since.
        return false
      }
    })
}

const isTab = (command) => command.includes('--headless')

function place() {
  const cwd = scratch()
  // So short that the browser's directory fits in there as well.
  const tmp = mkdtempSync(join(tmpdir(), 'sm-'))
  after(() => rmSync(tmp, { recursive: true }))
  return { cwd, tmp, options: { cwd, env: { TMPDIR: tmp }, timeoutMs: 400_000 } }
}

test('the demo: ten members learn together what none knows alone, without its founder', {
  timeout: 420_000,
}, async () => {
  const { tmp, options } = place()
  const result = await data(['demo'], options)
  assert.deepEqual(Object.keys(result).sort(), [
    'accuracyAloneMean',
    'accuracyTogether',
    'flipped',
    'founderLeftAtRound',
    'liars',
    'log',
    'members',
    'rounds',
    'verified',
  ])
  const { members, accuracyAloneMean, accuracyTogether } = result
  assert.equal(members.length, 10)
  assert.equal(new Set(members.map(({ nodeId }) => nodeId)).size, 10)
  const kinds = members.map(({ kind }) => kind).sort()
  assert.deepEqual(kinds, [...Array(9).fill('node'), 'tab'])
  for (const { samples, accuracyAlone } of members) {
    assert.ok(samples >= 10)
    assert.ok(accuracyAlone > 0 && accuracyAlone < 1)
  }
  assert.ok(accuracyAloneMean <= 0.5, `alone ${accuracyAloneMean}`)
  assert.ok(accuracyTogether >= 0.94, `together ${accuracyTogether}`)
  assert.equal(result.rounds, 60)
  assert.equal(result.founderLeftAtRound, 5)
  assert.equal(result.verified, true)
  assert.equal(result.flipped.found, true)
  assert.notEqual(result.flipped.what, '')
  const { accuracyMean, accuracyRule, ...lied } = result.liars
  assert.deepEqual(lied, {
    attack: 'sign-flip',
    members: 8,
    liars: 2,
    rounds: 12,
    rule: 'centered-clipping',
  })
  assert.ok(accuracyMean <= 0.2, `the mean with liars ${accuracyMean}`)
  assert.ok(accuracyRule >= 0.9, `the rule with liars ${accuracyRule}`)
  assert.equal((await data(['verify', result.log], options)).ok, true)
  assert.deepEqual(processesOf(tmp), [])
  const left = readdirSync(tmp)
  assert.deepEqual(left.length, 1, left.join(' '))
  assert.deepEqual(readdirSync(join(tmp, left[0])), ['digits.car'])
})

test('without a browser another process takes the place, said aloud', {
  timeout: 420_000,
}, async () => {
  const { options } = place()
  const env = { ...options.env, SYNAPTIC_CHROMIUM: '/nowhere/chromium', CHROMIUM: '' }
  const args = ['demo', '--members', '3', '--rounds', '6', '--json']
  const { stdout, stderr, code } = await run(args, { ...options, env })
  assert.equal(code, 0, stderr)
  assert.match(stderr, /no Chromium on this machine/)
  const { members } = JSON.parse(stdout).data
  assert.deepEqual(
    members.map(({ kind }) => kind),
    ['node', 'node', 'node'],
  )
})

/** A demo in a process group of its own, as a terminal starts it, with its first members up. */
async function startInGroup() {
  const { tmp, options } = place()
  const child = start(['demo', '--members', '4', '--json'], { ...options, detached: true })
  child.stdout.resume()
  child.stderr.resume()
  const ended = once(child, 'close')
  await until(() => processesOf(tmp, { tabs: true }).length > 0, 'the tab starts')
  return { tmp, child, ended, interrupt: () => process.kill(-child.pid, 'SIGINT') }
}

// The terminal signals the group, and npm signals its child once more: the second signal was
// taken for another key, and the browser, which has a group of its own, outlived the demo.
test('Ctrl-C in the middle ends every process and removes every directory', async () => {
  const { tmp, child, ended, interrupt } = await startInGroup()
  interrupt()
  await new Promise((resolve) => setTimeout(resolve, 20))
  child.kill('SIGINT')
  const [code] = await ended
  assert.equal(code, 130)
  assert.deepEqual(processesOf(tmp), [])
  assert.deepEqual(readdirSync(tmp), [])
})

test('a second Ctrl-C ends everything at once, and leaves nothing either', async () => {
  const { tmp, child, ended, interrupt } = await startInGroup()
  const members = processesOf(tmp, { tabs: false })
  // Members that do not answer keep the demo waiting, so that the second key finds it still there.
  for (const pid of members) process.kill(Number(pid), 'SIGSTOP')
  interrupt()
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  assert.equal(child.exitCode, null)
  interrupt()
  const [code] = await ended
  assert.equal(code, 130)
  await until(() => processesOf(tmp).length === 0, 'all processes end', 5_000)
  assert.deepEqual(readdirSync(tmp), [])
})
