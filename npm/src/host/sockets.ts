/**
 * The sockets lent to the core: WebSocket through `ws`, dialled and accepted.
 *
 * The core speaks noise and yamux inside; a socket here only moves binary messages and says when
 * to wait. Who may open one at all is decided before the first byte reaches the core: the upgrade
 * request must come from a program or from a page of this machine, there are at most
 * `CONNECTIONS_MAX` of them, and no address takes the place of all others (`arrivals.ts`).
 */
import * as http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Duplex } from 'node:stream'
import { type RawData, WebSocket, WebSocketServer } from 'ws'
import { SynapticError, systemError } from '../errors.js'
import type { Host, HostSocket, SocketHandlers } from '../wasm.js'
import { Arrivals } from './arrivals.js'
import { isAllowedPage } from './security.js'

/** Largest WebSocket message from a peer; the core writes at most 64 KiB at a time. */
const MESSAGE_BYTES_MAX = 1024 * 1024
/** Bytes waiting in a socket above which the sender is told to wait. */
const SEND_BYTES_HIGH = 1024 * 1024
/** Bytes waiting in a socket below which it may go on. */
const SEND_BYTES_LOW = 256 * 1024
/** A peer that has not answered the upgrade by then is not there. */
const HANDSHAKE_TIMEOUT_MS = 10_000
/** Sockets accepted at a time; the core has tighter limits of its own per peer. */
const CONNECTIONS_MAX = 256
/** Ports tried after the wanted one before giving up. */
const PORT_ATTEMPTS = 100

/** RFC 6455: "unsupported data", for text where only binary is spoken. */
const CLOSE_UNSUPPORTED = 1003
/** RFC 6455: normal closure. */
const CLOSE_NORMAL = 1000

/** Who has not finished a request in time is looked for so often; Node's default is half a minute. */
const REQUEST_LOOK_MS = 1_000

const SERVER_OPTIONS = { maxHeaderSize: 16_384, connectionsCheckingInterval: REQUEST_LOOK_MS }
const SOCKET_OPTIONS = { perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX }

/** One WebSocket as the core sees it. */
class WsSocket implements HostSocket {
  readonly #socket: WebSocket
  #handlers: SocketHandlers | undefined
  #waiting = false
  #paused: boolean
  #ended = false

  /** `accepted` sockets are open and stay paused until the core has taken them. */
  constructor(socket: WebSocket, accepted: boolean) {
    this.#socket = socket
    this.#paused = accepted
    if (accepted) socket.pause()
    let failure = ''
    socket.on('open', () => {
      if (this.#paused) socket.pause()
      this.#handlers?.open()
    })
    socket.on('message', (data: RawData, isBinary: boolean) => this.#receive(data, isBinary))
    socket.on('error', (error) => {
      failure = error.message
    })
    socket.on('close', (code, reason) => {
      this.#end(failure === '' ? closeReason(code, reason) : failure)
    })
  }

  setHandlers(handlers: SocketHandlers): void {
    this.#handlers = handlers
  }

  /** Whether more may be sent at once; after `false`, `drain` says when. */
  send(bytes: Uint8Array): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false
    this.#socket.send(bytes, { binary: true }, () => this.#afterSend())
    if (this.#socket.bufferedAmount <= SEND_BYTES_HIGH) return true
    this.#waiting = true
    return false
  }

  pause(): void {
    this.#paused = true
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#socket.readyState !== WebSocket.CONNECTING) this.#socket.resume()
  }

  close(): void {
    // A paused socket would never see the other side's closing frame.
    this.resume()
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.terminate()
    else this.#socket.close(CLOSE_NORMAL)
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (!isBinary) {
      this.#socket.close(CLOSE_UNSUPPORTED, 'binary messages only')
      return
    }
    const bytes = data instanceof Uint8Array ? data : Buffer.concat(data as Buffer[])
    if (bytes.length > 0) this.#handlers?.message(bytes)
  }

  #afterSend(): void {
    if (!this.#waiting || this.#socket.bufferedAmount > SEND_BYTES_LOW) return
    this.#waiting = false
    if (!this.#ended) this.#handlers?.drain()
  }

  #end(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#handlers?.close(reason)
  }
}

/** Empty for a regular end, as the core expects it. */
function closeReason(code: number, reason: Buffer): string {
  if (code === CLOSE_NORMAL) return ''
  const text = reason.toString('utf8')
  return text === '' ? `the connection ended with code ${code}` : text
}

/** Calls another member; the socket opens, which `onOpen` hears too, or closes later. */
export function dial(url: string, onOpen: () => void = () => undefined): HostSocket {
  const socket = new WebSocket(url, {
    ...SOCKET_OPTIONS,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    followRedirects: false,
  })
  socket.binaryType = 'nodebuffer'
  socket.on('open', onOpen)
  return new WsSocket(socket, false)
}

/** Calls that are remembered: more than a node makes in the time anybody asks about. */
const CALLS_MAX = 256

/** When which address was called last, and whether anything answered there. */
export class Calls {
  readonly #calls = new Map<string, { readonly atMs: number; answered: boolean }>()

  /** As {@link dial}. */
  readonly dial = (url: string): HostSocket => {
    const call = { atMs: performance.now(), answered: false }
    const place = /^wss?:\/\/([^/?#]+)/.exec(url)?.[1] ?? url
    this.#calls.delete(place)
    this.#calls.set(place, call)
    const oldest = this.#calls.keys().next().value
    if (this.#calls.size > CALLS_MAX && oldest !== undefined) this.#calls.delete(oldest)
    return dial(url, () => {
      call.answered = true
    })
  }

  /** What became of the last call to a multiaddr, if it was within this time. */
  last(address: string, withinMs: number): 'none' | 'called' | 'answered' {
    const [, kind, host, , port] = address.split('/')
    const call = this.#calls.get(`${kind === 'ip6' ? `[${host}]` : host}:${port}`)
    if (call === undefined || performance.now() - call.atMs > withinMs) return 'none'
    return call.answered ? 'answered' : 'called'
  }
}

type OnSocket = (socket: HostSocket, remote: string) => void

/** A bound port on which members can call. */
export class MeshListener {
  /** Address it is bound to. */
  readonly host: string
  /** Port it got. */
  readonly port: number
  readonly #http: http.Server
  readonly #sockets: WebSocketServer
  readonly #arrivals = new Arrivals()
  #onSocket: OnSocket | undefined

  private constructor(server: http.Server, host: string) {
    this.host = host
    this.port = (server.address() as AddressInfo).port
    this.#http = server
    server.maxConnections = 2 * CONNECTIONS_MAX
    server.headersTimeout = HANDSHAKE_TIMEOUT_MS
    server.requestTimeout = HANDSHAKE_TIMEOUT_MS
    server.on('connection', (socket) => {
      if (!this.#arrivals.take(socket)) socket.destroy()
    })
    this.#sockets = new WebSocketServer({ noServer: true, ...SOCKET_OPTIONS })
    server.on('request', (_request, response) => {
      response.writeHead(426, { connection: 'close', upgrade: 'websocket' })
      response.end('This port speaks WebSocket.\n')
    })
    server.on('upgrade', (request, socket, head) => {
      endOnError(socket)
      this.#upgrade(request, socket as Socket, head)
    })
  }

  /**
   * Binds a port.
   *
   * @param exact whether a busy port is an error; else the next free one is taken
   * @throws SynapticError `port-busy`, `no-permission`, `bad-address`
   */
  static async bind(host: string, port: number, exact: boolean): Promise<MeshListener> {
    const server = await bindServer(host, port, exact)
    return new MeshListener(server, host)
  }

  /** Hands accepted sockets to the core from now on. */
  serve(onSocket: OnSocket): void {
    this.#onSocket = onSocket
  }

  /** Stops accepting and ends what is still open. */
  close(): void {
    this.#onSocket = undefined
    for (const client of this.#sockets.clients) client.terminate()
    this.#sockets.close()
    this.#http.close()
    this.#http.closeAllConnections()
  }

  #upgrade(request: http.IncomingMessage, socket: Socket, head: Buffer): void {
    if (!isAllowedPage(request.headers.origin)) {
      refuse(socket, '403 Forbidden')
      return
    }
    if (this.#onSocket === undefined || this.#sockets.clients.size >= CONNECTIONS_MAX) {
      refuse(socket, '503 Service Unavailable')
      return
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      client.binaryType = 'nodebuffer'
      socket.setNoDelay(true)
      const remote = remoteOf(socket)
      const lent = new WsSocket(client, true)
      this.#arrivals.line(socket, client, () => this.#onSocket?.(lent, remote))
    })
  }
}

/**
 * From the upgrade on the HTTP server does not listen to the socket any more, and an error that
 * nobody hears ends the process: any caller could do that by resetting its connection.
 */
function endOnError(socket: Duplex): void {
  socket.on('error', () => socket.destroy())
}

/** Refuses every upgrade, on a server that speaks only HTTP. */
export function refuseUpgrades(server: http.Server): void {
  server.on('upgrade', (_request, socket) => {
    endOnError(socket)
    refuse(socket, '403 Forbidden')
  })
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

/** `address:port` of the other side, IPv6 in brackets. */
function remoteOf(socket: Socket): string {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  return `${address.includes(':') ? `[${address}]` : address}:${socket.remotePort ?? 0}`
}

/**
 * An HTTP server bound to the wanted port, or to the next free one when `exact` is false.
 *
 * @throws SynapticError `port-busy`, `no-permission`, `bad-address`
 */
export async function bindServer(host: string, port: number, exact: boolean): Promise<http.Server> {
  const attempts = exact || port === 0 ? 1 : PORT_ATTEMPTS
  for (let offset = 0; ; offset += 1) {
    const server = http.createServer(SERVER_OPTIONS)
    try {
      await listen(server, host, port + offset)
      return server
    } catch (thrown) {
      const error = systemError(thrown, `${host}:${port + offset}`)
      if (error?.code === 'port-busy' && offset + 1 < attempts) continue
      throw (
        error ??
        new SynapticError(
          'bad-address',
          `cannot listen on ${host}: ${String(thrown)}`,
          'check --host',
        )
      )
    }
  }
}

function listen(server: http.Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** The sockets of one node as the interface the core asks for. */
export function hostWith(listener: MeshListener, calls: Calls, peer: Host['peer']): Host {
  return {
    dial: calls.dial,
    ...(peer === undefined ? {} : { peer }),
    listen: async (_host, _port, onSocket) => {
      listener.serve(onSocket)
      return { port: listener.port, close: () => listener.close() }
    },
  }
}

/** Whether only this machine can call at a host. */
export function isLoopback(host: string): boolean {
  return /^(127\.\d+\.\d+\.\d+|localhost|::1)$/.test(host)
}

/**
 * The addresses of this machine where a listener is bound to all of them: "0.0.0.0" is an address
 * to listen on, not one to call.
 */
export function interfaceAddresses(host: string, port: number, peerId: string): string[] {
  const families = { '0.0.0.0': ['IPv4'], '::': ['IPv4', 'IPv6'] }[host]
  if (families === undefined) return []
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, scopeid }) => families.includes(family) && (scopeid ?? 0) === 0)
    .map(({ family, address }) => {
      const place = family === 'IPv6' ? `/ip6/${address}` : `/ip4/${address}`
      return `${place}/tcp/${port}/ws/p2p/${peerId}`
    })
}

/** An address with the peer id that whoever calls it expects. */
export function withPeerId(address: string, peerId: string): string {
  return address.includes('/p2p/') ? address : `${address.replace(/\/+$/, '')}/p2p/${peerId}`
}
