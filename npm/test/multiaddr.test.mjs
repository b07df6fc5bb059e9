// Addresses that can be none are refused before they are written for good.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { address } from '../dist/arguments.js'
import { multiaddrFault, requireMultiaddrs } from '../dist/multiaddr.js'

test('addresses of nodes pass, and what cannot be one does not', () => {
  const peer = '12D3KooWLt66MreMnEMbgt2Yki16232pkYxhJRTAf6vp9a8rZ3P1'
  for (const text of [
    '/dns/example.org/tcp/443/wss',
    `/ip4/127.0.0.1/tcp/65535/ws/p2p/${peer}`,
    `/ip6/::1/udp/0/quic-v1/p2p/${peer}`,
    `/ip4/10.0.0.1/tcp/1/ws/p2p/${peer}/p2p-circuit/p2p/${peer}`,
    '/unix/x',
  ]) {
    assert.equal(multiaddrFault(text), '', text)
    assert.deepEqual(address(text, ['/before']), ['/before', text])
  }
  for (const text of [
    '',
    '/',
    'example.org',
    '/dns/example.org/tcp/99999',
    '/dns/example.org/tcp/65536/wss',
    '/dns/example.org/tcp/-1',
    '/dns/example.org/tcp',
    '/dns//tcp/443',
    '/ip4/1.2.3.256/tcp/1',
    '/ip4/1.2.3/tcp/1',
    '/ip4/1.2.3.4/tcp/1/ws/p2p/nobody',
  ]) {
    assert.notEqual(multiaddrFault(text), '', text)
    assert.throws(() => requireMultiaddrs([text]), { code: 'address-invalid' })
    assert.throws(() => address(text), /multiaddr/)
  }
})
