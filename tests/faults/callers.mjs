/** Callers that are no members: who sits between two nodes, and who says anything at all. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { after } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'

const open = new Set()
after(() => {
  for (const end of open) end()
})

/** The `host`, `port` and peer id of a node's address. */
export function placeOf(address) {
  const [, host, port, peer] = /^\/ip4\/([^/]+)\/tcp\/(\d+)\/ws\/p2p\/(\w+)$/.exec(address)
  return { host, port: Number(port), peer }
}

/**
 * Sits between a node and whoever calls at `address` instead: every message of either side, `caller`
 * or `called`, goes through `pass(side, bytes, session)`, and what that gives is sent: a list of
 * `[to, bytes]`. Without `pass` nothing is changed. All messages are kept.
 */
export class Between {
  sessions = []

  static async start(node, pass) {
    const { host, port, peer } = placeOf(node.ready.addresses[0])
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    const between = new Between(server, `ws://${host}:${port}`, pass)
    between.address = `/ip4/127.0.0.1/tcp/${server.address().port}/ws/p2p/${peer}`
    return between
  }

  constructor(server, target, pass = (side, bytes) => [[other(side), bytes]]) {
    this.pass = pass
    server.on('connection', (caller) => this.#join(caller, new WebSocket(target)))
    open.add(() => {
      for (const client of server.clients) client.terminate()
      server.close()
    })
  }

  #join(caller, called) {
    const ends = { caller, called }
    const session = { said: { caller: [], called: [] }, ends, closed: [] }
    this.sessions.push(session)
    const ready = once(called, 'open')
    for (const [side, end] of Object.entries(ends)) {
      end.on('error', () => undefined)
      end.on('message', async (bytes) => {
        // Several may come before there is anybody to pass them on to; they keep their order.
        await ready
        session.said[side].push(bytes)
        for (const [to, changed] of this.pass(side, bytes, session)) ends[to].send(changed)
      })
      end.on('close', () => {
        session.closed.push(side)
        ends[other(side)].close()
      })
    }
  }
}

export const other = (side) => (side === 'caller' ? 'called' : 'caller')

/** A call that says these messages; when it ended, in milliseconds from its start. */
export async function say(address, messages, { localAddress, headers } = {}) {
  const { host, port } = placeOf(address)
  const begun = performance.now()
  const socket = new WebSocket(`ws://${host}:${port}`, { localAddress, headers })
  open.add(() => socket.terminate())
  const heard = []
  socket.on('message', (bytes) => heard.push(bytes))
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  socket.once('open', async () => {
    for await (const message of messages) {
      if (socket.readyState !== WebSocket.OPEN) break
      socket.send(message)
    }
  })
  await closed
  return { ms: Math.round(performance.now() - begun), heard: Buffer.concat(heard) }
}

/** As `say`, but bytes of TCP: what is said before there is a WebSocket. */
export async function mutter(address, pieces) {
  const { host, port } = placeOf(address)
  const begun = performance.now()
  const socket = connect(port, host)
  open.add(() => socket.destroy())
  const heard = []
  socket.on('data', (bytes) => heard.push(bytes))
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  for await (const piece of pieces) {
    if (!socket.writable) break
    socket.write(piece)
  }
  await closed
  return { ms: Math.round(performance.now() - begun), heard: Buffer.concat(heard) }
}

/** Answers whoever calls with these messages, one for each that it hears. */
export async function answering(messages, peer) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  open.add(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  await once(server, 'listening')
  server.on('connection', (socket) => {
    const left = [...messages]
    socket.on('error', () => undefined)
    socket.on('message', () => {
      if (left.length > 0) socket.send(left.shift())
    })
  })
  return `/ip4/127.0.0.1/tcp/${server.address().port}/ws/p2p/${peer}`
}

const UPGRADE = [
  'GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n',
  'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
].join('')

/**
 * So many connections from one address, `atOnce` of them at a time. Every other becomes a WebSocket;
 * then they say nothing until they are ended.
 */
export class Flood {
  opened = 0
  /** Connections that there were at a time, at most (count). */
  peak = 0
  #open = new Set()

  constructor(address, { localAddress, count, atOnce }) {
    const { host, port } = placeOf(address)
    this.connect = { host, port, localAddress }
    this.count = count
    open.add(() => this.end())
    this.over = new Promise((resolve) => {
      this.resolve = resolve
    })
    for (let n = 0; n < atOnce; n += 1) this.#next()
  }

  end() {
    this.count = 0
    for (const socket of this.#open) socket.destroy()
  }

  #next() {
    if (this.opened >= this.count) {
      if (this.#open.size === 0) this.resolve()
      return
    }
    this.opened += 1
    const words = this.opened % 2 === 0 ? UPGRADE : ''
    const socket = connect(this.connect, () => socket.write(words))
    this.#open.add(socket)
    this.peak = Math.max(this.peak, this.#open.size)
    socket.resume()
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#open.delete(socket)
      setImmediate(() => this.#next())
    })
  }
}
