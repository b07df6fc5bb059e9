/**
 * Sealed messages between processes: a node that was away reads what was written to it, from a third
 * when the sender is gone, and nobody else can, with all of the history and the files.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { data, json, run, scratch, TestNode, until } from './cli.mjs'

const TEXT = 'the weights are under the third stone'
/** What a terminal would obey: clears it, and turns the rest of the line round. */
const HOSTILE = 'first\n\u001b[2J\u202Esecond'

/** Whether any file of a home has these bytes. */
function holds(home, bytes) {
  const files = readdirSync(home, { recursive: true, withFileTypes: true })
  return files
    .filter((file) => file.isFile())
    .some((file) => readFileSync(join(file.parentPath, file.name)).includes(bytes))
}

test('a message waits in the history for the one that can read it', {
  timeout: 300_000,
}, async () => {
  const homes = [scratch(), scratch(), scratch()]
  const [sender, carrier, receiver] = homes
  const init = async (home, ...more) =>
    (await data(['init', '--home', home, ...more], { cwd: home })).nodeId
  const ids = [await init(sender)]
  const nodes = [await TestNode.start(sender)]
  for (const home of [carrier, receiver]) {
    ids.push(await init(home, '--join', nodes[0].ready.join))
    nodes.push(await TestNode.start(home))
  }
  const knows = async () => (await nodes[0].data('dag', 'stats')).authors.length === 3
  await until(knows, 'all identities')

  await nodes[2].stop()
  const started = performance.now()
  const sent = await nodes[0].data('message', 'send', ids[2], TEXT)
  console.log(`a message by command: written in ${Math.round(performance.now() - started)} ms`)
  assert.deepEqual([sent.from, sent.to, sent.text, sent.problem], [ids[0], ids[2], null, null])
  await nodes[0].data('message', 'send', ids[2], HOSTILE)
  const carried = async () => (await nodes[1].data('dag', 'stats')).kinds.sealed === 2
  await until(carried, 'the messages at the carrier')
  await nodes[0].stop()

  // The carrier has all of it and can read none; nor is the text in a file of either.
  assert.deepEqual(await nodes[1].data('message', 'list'), [])
  const shown = await json(['dag', 'show', sent.id.split('/')[0], '--home', carrier])
  assert.ok(shown.ok && !JSON.stringify(shown).includes('third stone'))
  for (const home of homes) assert.ok(!holds(home, 'third stone'), home)
  assert.ok(holds(carrier, ids[1]) || holds(carrier, 'SMID'), 'the control: files are read')

  nodes[2] = await TestNode.start(receiver)
  await nodes[2].data('peer', 'connect', nodes[1].ready.addresses[0])
  const arrived = async () => (await nodes[2].data('message', 'list')).length === 2
  await until(arrived, 'the messages')
  const [hostile, read] = await nodes[2].data('message', 'list')
  assert.deepEqual(
    [read.id, read.from, read.to, read.text, read.problem],
    [sent.id, ids[0], ids[2], TEXT, null],
  )
  assert.equal(hostile.text, HOSTILE)
  assert.equal((await nodes[2].data('message', 'list', '--limit', '1')).length, 1)

  const { stdout } = await run(['message', 'list', '--home', receiver], { cwd: receiver })
  const lines = stdout.trimEnd().split('\n')
  assert.equal(lines.length, 2, stdout)
  assert.ok(lines[1].endsWith(TEXT))
  assert.ok(lines[0].endsWith('first\\u{a}\\u{1b}[2J\\u{202e}second'), lines[0])

  await refusals(nodes[2], ids)
  for (const node of nodes.slice(1)) await node.stop()

  // Only the receiver's own identity opens it: the sender sees that it wrote.
  const again = await TestNode.start(sender)
  const own = await again.data('message', 'list')
  assert.deepEqual(
    own.map(({ text, problem }) => [text, problem]),
    [
      [null, null],
      [null, null],
    ],
  )
  await again.stop()
})

/** What cannot be sealed ends with its reason, and nothing is written. */
async function refusals(node, ids) {
  const written = (await node.data('dag', 'stats')).vertices
  const stranger = 'a'.repeat(52)
  for (const [to, text, code, exit] of [
    [ids[0], '', 'sealed-empty', 2],
    [ids[0], 'x'.repeat(4_095), 'sealed-too-long', 2],
    [ids[0], '\u{1f980}'.repeat(1_024), 'sealed-too-long', 2],
    [stranger, 'text', 'sealed-unknown-node', 1],
    ['nobody', 'text', 'bad-node-id', 2],
  ]) {
    const answer = await json(['message', 'send', to, text, '--home', node.home])
    assert.deepEqual([answer.error?.code, answer.code], [code, exit])
    assert.ok(answer.error.hint.length > 0)
  }
  assert.equal((await node.data('dag', 'stats')).vertices, written)
  const longest = 'x'.repeat(4_094)
  const { problem } = await node.data('message', 'send', ids[2], longest)
  assert.equal(problem, null)
  const [{ text }] = await node.data('message', 'list', '--limit', '1')
  assert.equal(text, longest)
}
