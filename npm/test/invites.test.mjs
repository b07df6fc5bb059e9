// Invites beside a node: what a home keeps and gives, and how a refusal is told from refusing.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import * as path from 'node:path'
import { test } from 'node:test'
import { SynapticError } from '../dist/errors.js'
import { keepInvite, readInvite } from '../dist/genesis.js'
import { homeAt, inviteFile } from '../dist/home.js'
import { meet } from '../dist/host/meet.js'

const [NETWORK, OTHER] = ['a', 'q'].map((last) => `${'a'.repeat(51)}${last}`)
const MEMBERS = Uint8Array.of(1)
const OPEN = Uint8Array.of(0)
/** An invite of these tests is the text of its network; the core's own tests read real ones. */
const inviteTo = (network) => new TextEncoder().encode(network)
const MESH = {
  inspectInvite(bytes) {
    const network = new TextDecoder().decode(bytes)
    if (network.length === 52) return { network }
    throw new SynapticError('invite-malformed', 'the invite cannot be read')
  },
  inspectGenesis: ([kind]) => ({ inviters: kind === 1 ? [] : null }),
}

async function inHome(work) {
  const folder = mkdtempSync(path.join(tmpdir(), 'synaptic-mesh-invites-'))
  try {
    await work(homeAt(folder, 'flag'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test('a home keeps no bytes that would not let it start again', () =>
  inHome((home) => {
    const kept = (genesis, invite) => () => keepInvite(MESH, home, NETWORK, genesis, invite)
    assert.throws(kept(MEMBERS, inviteTo('x')), { code: 'invite-malformed' })
    assert.throws(kept(MEMBERS, inviteTo(OTHER)), { code: 'invite-foreign' })
    assert.throws(kept(OPEN, inviteTo(NETWORK)), { code: 'network-open' })
    assert.throws(kept(undefined, inviteTo(NETWORK)), { code: 'network-open' })
    assert.equal(existsSync(inviteFile(home, NETWORK)), false)
    kept(MEMBERS, inviteTo(NETWORK))()
    const { invite, wrong } = readInvite(MESH, home, NETWORK, MEMBERS)
    assert.deepEqual([invite, wrong], [inviteTo(NETWORK), undefined])
  }))

test('a home with an invite that cannot be read starts without it and says so', () =>
  inHome((home) => {
    assert.deepEqual(readInvite(MESH, home, NETWORK, MEMBERS), {})
    keepInvite(MESH, home, NETWORK, MEMBERS, inviteTo(NETWORK))
    for (const bytes of [new Uint8Array(9), new Uint8Array(10_000), inviteTo(OTHER)]) {
      writeFileSync(inviteFile(home, NETWORK), bytes)
      const { invite, wrong } = readInvite(MESH, home, NETWORK, MEMBERS)
      assert.equal(invite, undefined)
      assert.equal(wrong.code, 'invite-ignored')
      assert.ok(wrong.message.includes(inviteFile(home, NETWORK)))
    }
  }))

/** A node whose call to a member ends for this reason, as the core tells it. */
function refusedNode(address, reason) {
  let end = () => undefined
  const ended = new Promise((resolve) => {
    end = resolve
  })
  return {
    calls: { last: () => 'failed' },
    status: async () => ({ peers: [] }),
    unreached: async () => [{ address, reason }],
    events: () => ({
      [Symbol.asyncIterator]() {
        return this
      },
      next: () => ended,
      return: async () => end({ done: true, value: undefined }),
    }),
  }
}

test('who refuses a member itself is not told that the member refused', async () => {
  const address = '/ip4/127.0.0.1/tcp/1/ws/p2p/12D3KooWGzbhnEVvPCdiHPJVdyQ5LpvXRMBEnUg9yVxxvdCQyXgS'
  const why = 'the invite has run out'
  const met = (who) => meet(refusedNode(address, `invite-expired: ${who}: ${why}`), [address])
  await assert.rejects(met('the member does not let this node in'), { code: 'invite-expired' })
  await assert.rejects(met('this node does not let the other in'), { code: 'unreachable' })
})
