import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { WebSocket } from 'ws'
import { SynapticError } from '../dist/errors.js'
import { ControlServer } from '../dist/host/control.js'
import { Dashboard } from '../dist/host/dashboard.js'
import { Hub } from '../dist/host/hub.js'
import { securityHeaders } from '../dist/host/security.js'
import { MeshListener } from '../dist/host/sockets.js'

const root = fs.mkdtempSync(join(tmpdir(), 'control-test-'))
const hub = new Hub()
let control
let port

before(async () => {
  fs.mkdirSync(join(root, 'www', 'assets'), { recursive: true })
  fs.writeFileSync(join(root, 'www', 'index.html'), '<p>dashboard</p>')
  fs.writeFileSync(join(root, 'www', 'assets', 'main-0123abcd.js'), 'export {}')
  fs.writeFileSync(join(root, 'www', 'core.wasm'), 'wasm')
  fs.writeFileSync(join(root, 'secret.txt'), 'secret')
  control = await ControlServer.start({
    port: 0,
    exactPort: false,
    meshHost: '127.0.0.1',
    dashboard: new Dashboard([['/', join(root, 'www')]]),
    target: {
      async call(command, body) {
        if (command === 'echo') return body
        if (command === 'status') return { running: true }
        if (command === 'bytes') return new Uint8Array([1, 2, 3])
        throw new SynapticError('no-such-command', `there is no command "${command}"`)
      },
      events: () => hub.subscribe(),
    },
  })
  port = Number(new URL(control.url).port)
})
after(() => {
  control.close()
  fs.rmSync(root, { recursive: true })
})

/** A request with headers that fetch would not let us set. */
function ask(path, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const authorised = () => ({ authorization: `Bearer ${control.token}` })
const json = () => ({ ...authorised(), 'content-type': 'application/json' })

test('the dashboard is served with its headers, by name only', async () => {
  const page = await ask('/')
  assert.equal(page.status, 200)
  assert.equal(page.text, '<p>dashboard</p>')
  const policy = page.headers['content-security-policy']
  assert.match(policy, /default-src 'none'/)
  assert.match(policy, /script-src 'self' 'wasm-unsafe-eval'/)
  assert.match(policy, /frame-ancestors 'none'/)
  assert.equal(page.headers['x-content-type-options'], 'nosniff')
  assert.equal(page.headers['referrer-policy'], 'no-referrer')
  assert.equal((await ask('/core.wasm')).headers['content-type'], 'application/wasm')
  assert.match((await ask('/assets/main-0123abcd.js')).headers['cache-control'], /immutable/)
  const again = await ask('/', { headers: { 'if-none-match': page.headers.etag } })
  assert.equal(again.status, 304)
  assert.equal((await ask('/', { method: 'HEAD' })).text, '')
  assert.equal((await ask('/', { method: 'POST' })).status, 405)
})

// A node on another loopback address was called by no tab: its own policy forbade it.
test('a tab may call the listener of the node that serves it, wherever that is', () => {
  const sockets = (host) =>
    /connect-src 'self' ([^;]*)/.exec(securityHeaders(host)['content-security-policy'])[1]
  for (const host of ['127.0.0.1', 'localhost']) {
    assert.equal(sockets(host), 'ws://127.0.0.1:* ws://localhost:*')
  }
  for (const host of ['127.0.0.2', '::1', '0.0.0.0', '192.168.1.2']) {
    assert.equal(sockets(host), 'ws: wss:')
  }
})

test('no path leads out of the list of files', async () => {
  for (const path of [
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '//etc/passwd',
    '/www',
  ]) {
    const { status, text } = await ask(path)
    assert.equal(status, 404, path)
    assert.doesNotMatch(text, /secret|root/)
  }
})

test('a foreign Host is refused everywhere (DNS rebinding)', async () => {
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1',
    `127.0.0.1:${port + 1}`,
  ]) {
    assert.equal((await ask('/', { headers: { host } })).status, 403, host)
    const headers = { ...authorised(), host }
    assert.equal((await ask('/api/status', { headers })).status, 403, host)
  }
  assert.equal((await ask('/', { headers: { host: `localhost:${port}` } })).status, 200)
})

test('a foreign Origin is refused, with and without the token', async () => {
  for (const origin of ['http://evil.example', 'null', `http://127.0.0.1:${port + 1}`]) {
    assert.equal((await ask('/api/status', { headers: { ...authorised(), origin } })).status, 403)
  }
  const own = { ...authorised(), origin: `http://127.0.0.1:${port}` }
  const answer = await ask('/api/status', { headers: own })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['access-control-allow-origin'], undefined)
})

test('the API wants the token, the whole token', async () => {
  for (const authorization of [
    undefined,
    'Bearer ',
    'Bearer x',
    `Bearer ${control.token}x`,
    control.token,
  ]) {
    const headers = authorization === undefined ? {} : { authorization }
    const answer = await ask('/api/status', { headers })
    assert.equal(answer.status, 401)
    assert.equal(JSON.parse(answer.text).error.code, 'unauthorised')
  }
  assert.equal(Buffer.from(control.token, 'base64url').length, 32)
  assert.equal((await ask(`/api/status?token=${control.token}`)).status, 401)
})

test('commands are POST with JSON, and errors keep their shape', async () => {
  const body = JSON.stringify({ a: [1] })
  const echo = await ask('/api/echo', { method: 'POST', headers: json(), body })
  assert.deepEqual(JSON.parse(echo.text), { ok: true, data: { a: [1] } })
  assert.equal((await ask('/api/echo', { headers: json() })).status, 405)
  const wrong = [
    [{ ...authorised(), 'content-type': 'text/plain' }, body],
    [json(), '{'],
    [json(), '[]'],
    [json(), JSON.stringify({ a: 'x'.repeat(300_000) })],
  ]
  for (const [headers, sent] of wrong) {
    const answer = await ask('/api/echo', { method: 'POST', headers, body: sent })
    assert.equal(answer.status, 400)
    assert.equal(JSON.parse(answer.text).error.code, 'usage')
  }
  const unknown = await ask('/api/nothing', { method: 'POST', headers: json(), body: '{}' })
  assert.equal(unknown.status, 404)
  const bytes = await ask('/api/bytes', { method: 'POST', headers: json(), body: '{}' })
  assert.equal(bytes.headers['content-type'], 'application/vnd.ipld.car')
  assert.equal(bytes.text, '\u0001\u0002\u0003')
})

test('events are a stream of JSON lines', async () => {
  const response = await fetch(`${control.url}/api/events`, { headers: authorised() })
  assert.equal(response.status, 200)
  const reader = response.body.getReader()
  hub.emit({ type: 'round', round: 1 })
  const line = new TextDecoder().decode((await reader.read()).value)
  assert.deepEqual(JSON.parse(line), { event: 'round', data: { round: 1 } })
  await reader.cancel()
})

const opens = (url, options) =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, options)
    socket.on('open', () => {
      socket.terminate()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })

test('the dashboard port takes no WebSocket', async () => {
  assert.equal(await opens(`ws://127.0.0.1:${port}/api/events`), false)
})

test('the mesh port takes programs and pages of this machine, and no others', async () => {
  const listener = await MeshListener.bind('127.0.0.1', 0, false)
  const url = `ws://127.0.0.1:${listener.port}`
  assert.equal(await opens(url), false)
  listener.serve(() => undefined)
  assert.equal(await opens(url), true)
  assert.equal(await opens(url, { origin: 'http://127.0.0.1:7410' }), true)
  assert.equal(await opens(url, { origin: 'http://localhost:1' }), true)
  for (const origin of [
    'http://evil.example',
    'https://evil.example',
    'null',
    'http://127.0.0.1.evil.example',
  ]) {
    assert.equal(await opens(url, { origin }), false, origin)
  }
  listener.close()
})

/** Asks for an upgrade as a foreign page would, and is gone before the answer. */
async function vanish(port) {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.on('connect', resolve))
  const key = Buffer.alloc(16).toString('base64')
  socket.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      `Origin: http://evil.example\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  )
  setImmediate(() => socket.resetAndDestroy())
  await new Promise((resolve) => socket.on('close', resolve))
}

// A refused upgrade whose client reset the connection was an error nobody heard: the process ended.
test('a caller that is refused and resets the connection ends nothing', async (t) => {
  const listener = await MeshListener.bind('127.0.0.1', 0, false)
  t.after(() => listener.close())
  listener.serve(() => undefined)
  for (let n = 0; n < 20; n += 1) {
    await vanish(listener.port)
    await vanish(port)
  }
  assert.equal((await ask('/api/status', { headers: authorised() })).status, 200)
  assert.equal(await opens(`ws://127.0.0.1:${listener.port}`), true)
})

test('a busy port is an error where it was asked for, else the next one is taken', async () => {
  const first = await MeshListener.bind('127.0.0.1', 0, false)
  await assert.rejects(MeshListener.bind('127.0.0.1', first.port, true), { code: 'port-busy' })
  const second = await MeshListener.bind('127.0.0.1', first.port, false)
  assert.notEqual(second.port, first.port)
  first.close()
  second.close()
})
