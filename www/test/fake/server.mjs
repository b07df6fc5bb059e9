/**
 * Serves the built page as a node does (same headers, same paths) with the stand-in artifacts, for
 * tests of the page alone. `npm run build` first.
 */
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname } from 'node:path'

import { securityHeaders } from '../../../npm/dist/host/security.js'
import { encodeJoinLink } from '../../../npm/dist/link.js'

const DIST = new URL('../../dist', import.meta.url).pathname
const FAKE = new URL('.', import.meta.url).pathname
const DIGITS = new URL('../../../data/digits.csv', import.meta.url).pathname
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
}
const HEADERS = Object.entries(securityHeaders(false))

export const TOKEN = 'owner-token'
export const NETWORK = `${'abcdefghijklmnopqrstuvwxyz234567'.repeat(2).slice(0, 51)}a`
const PEER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

/** Starts on a free loopback port, or on `port`. `stop()` ends every connection at once. */
export async function serve(port = 0) {
  const streams = new Set()
  const server = createServer((request, response) => answer(request, response, streams))
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  const chosen = server.address().port
  const origin = `http://127.0.0.1:${chosen}`
  const addresses = [`/ip4/127.0.0.1/tcp/${chosen}/ws/p2p/${PEER}`]
  const join = encodeJoinLink(origin, { network: NETWORK, addresses, meshName: 'North clinics' })
  const stop = () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }
  const emit = (event) => {
    for (const stream of streams) stream.write(`${JSON.stringify(event)}\n`)
  }
  return { origin, port: chosen, join, dashboard: `${origin}/#token=${TOKEN}`, emit, stop }
}

function answer(request, response, streams) {
  const { pathname } = new URL(request.url, 'http://localhost')
  for (const [name, value] of HEADERS) response.setHeader(name, value)
  if (pathname === '/fake/alive') return response.end('yes')
  if (pathname === '/fake/rows') return response.end(rowsOfOthers())
  if (pathname.startsWith('/api/')) return api(pathname, request, response, streams)
  if (pathname.endsWith('_bg.wasm')) {
    response.setHeader('content-type', TYPES['.wasm'])
    return response.end(Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]))
  }
  const file = pathname.startsWith('/wasm/')
    ? `${FAKE}${pathname.slice('/wasm/'.length)}`
    : `${DIST}${pathname === '/' ? '/index.html' : pathname}`
  if (pathname.includes('..') || !existsSync(file)) {
    response.statusCode = 404
    return response.end()
  }
  response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream')
  createReadStream(file).pipe(response)
}

/** Every fifth row is held out by the tests; of the rest a third is enough. */
function rowsOfOthers() {
  const digits = process.env.SYNAPTIC_DIGITS ?? DIGITS
  if (!existsSync(digits)) return ''
  const lines = readFileSync(digits, 'utf8').trim().split('\n')
  return lines.filter((_, at) => at % 5 !== 0 && at % 3 === 0).join('\n')
}

function api(pathname, request, response, streams) {
  if (request.headers.authorization !== `Bearer ${TOKEN}`) {
    response.statusCode = request.headers.authorization === undefined ? 401 : 403
    return response.end()
  }
  if (pathname === '/api/status') {
    response.setHeader('content-type', 'application/json')
    return response.end(JSON.stringify({ ok: true, data: ownerStatus() }))
  }
  response.setHeader('content-type', 'application/x-ndjson')
  response.flushHeaders()
  streams.add(response)
  response.on('close', () => streams.delete(response))
}

function ownerStatus() {
  const peers = ['kq3vbn', 'r7xw2a', 'zt5mdp', 'm4yhce'].map((head, at) => ({
    id: head.padEnd(52, 'a'),
    transport: 'ws',
    path: at === 3 ? 'relayed' : 'direct',
    rttMs: 1.2 + at * 3,
  }))
  return {
    running: true,
    nodeId: 'own3er'.padEnd(52, 'a'),
    network: NETWORK,
    name: 'North clinics',
    peers,
    vertices: 131,
    blobs: { count: 48, bytes: 1_348_112 },
    runs: [
      {
        run: 'bafyowner',
        name: 'digits',
        state: 'running',
        round: 6,
        rounds: 20,
        members: peers.map(({ id }) => id),
        contributing: true,
        weightsCid: 'b6',
        specification: {},
        classes: [],
        scaling: { offset: [], scale: [] },
        epochs: 1,
        batch: 32,
        learningRate: 0.05,
        momentum: 0.9,
      },
    ],
    storage: {
      kind: 'sqlite',
      bytes: 2_228_224,
      path: '/home/ada/.local/share/synaptic-mesh/mesh.db',
    },
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { join, dashboard } = await serve(Number(process.argv[2] ?? 0))
  console.log(`${join}\n${dashboard}`)
}
