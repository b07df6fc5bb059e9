/**
 * The loopback server of a node: dashboard files for everybody on this machine, and the control
 * API for whoever holds the token.
 *
 * `POST /api/COMMAND` takes a JSON object and answers `{"ok":true,"data":...}` or
 * `{"ok":false,"error":{code,message,hint}}`; `run.export` answers with the bytes of the file.
 * `GET /api/status` is the same as POST, `GET /api/events` is a stream of JSON lines, and
 * `GET /api/metrics` the text that Prometheus reads. The token is in a file that only the owner of
 * the node can read.
 */
import type * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { SynapticError, toSynapticError } from '../errors.js'
import { toJson } from '../output.js'
import type { Dashboard } from './dashboard.js'
import { type Metric, prometheusText } from './metrics.js'
import {
  bearerToken,
  isOwnHost,
  isOwnOrigin,
  newToken,
  securityHeaders,
  tokenMatches,
} from './security.js'
import { bindServer, refuseUpgrades } from './sockets.js'

/** Largest request body; the longest command is a list of class names. */
const BODY_BYTES_MAX = 256 * 1024
/** Time to receive a request; a slow sender does not hold a connection open. */
const REQUEST_TIMEOUT_MS = 30_000
/** An event stream that is silent shows with an empty line that it is alive. */
const HEARTBEAT_MS = 15_000
/** Event streams at a time: a few tabs and terminals. */
const STREAMS_MAX = 32
/** Connections at a time, of tabs and commands of this machine. */
const CONNECTIONS_MAX = 256
/** Bytes an event reader may leave unread before it is cut off. */
const STREAM_BYTES_MAX = 8 * 1024 * 1024

/** Prometheus' text format. */
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** What the API controls. */
export interface ControlTarget {
  /** Does a command; bytes are sent as they are, everything else as JSON. */
  call(command: string, body: Readonly<Record<string, unknown>>): Promise<unknown>
  /** Everything the node tells from now on. */
  events(): AsyncIterableIterator<{ readonly type: string }>
}

/** How the server is made. */
export interface ControlOptions {
  readonly port: number
  readonly exactPort: boolean
  /** Address of the mesh listener, which the dashboard's tab calls. */
  readonly meshHost: string
  readonly dashboard: Dashboard
  readonly target: ControlTarget
}

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  usage: 400,
  'bad-link': 400,
  'no-such-command': 404,
  'no-such-run': 404,
  unauthorised: 401,
  refused: 403,
  timeout: 504,
  internal: 500,
}

/** The running server. */
export class ControlServer {
  /** Address without a trailing slash. */
  readonly url: string
  /** What a caller of the API must show. */
  readonly token = newToken()
  readonly #server: http.Server
  readonly #port: number
  readonly #options: ControlOptions
  readonly #headers: Readonly<Record<string, string>>
  #streams = 0

  private constructor(server: http.Server, options: ControlOptions) {
    this.#server = server
    this.#options = options
    this.#port = (server.address() as AddressInfo).port
    this.url = `http://127.0.0.1:${this.#port}`
    this.#headers = securityHeaders(options.meshHost)
    server.maxConnections = CONNECTIONS_MAX
    server.requestTimeout = REQUEST_TIMEOUT_MS
    server.on('request', (request, response) => void this.#answer(request, response))
    refuseUpgrades(server)
  }

  /** Binds the server to loopback. */
  static async start(options: ControlOptions): Promise<ControlServer> {
    const server = await bindServer('127.0.0.1', options.port, options.exactPort)
    return new ControlServer(server, options)
  }

  /** Link that gives a browser the token, in the part of the address that is never sent. */
  get dashboardLink(): string {
    return `${this.url}/#token=${this.token}`
  }

  /** Stops listening; streams end. */
  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(this.#headers)) response.setHeader(name, value)
    try {
      this.#checkSender(request)
      const urlPath = (request.url ?? '/').split(/[?#]/)[0] ?? '/'
      if (urlPath.startsWith('/api/')) {
        this.#checkToken(request)
        await this.#api(request, response, urlPath.slice('/api/'.length))
      } else {
        this.#file(request, response, urlPath)
      }
    } catch (thrown) {
      sendError(response, toSynapticError(thrown))
    }
  }

  #checkSender(request: http.IncomingMessage): void {
    const { host, origin } = request.headers
    if (!isOwnHost(host, this.#port)) {
      throw new SynapticError('refused', 'this server answers to 127.0.0.1 and localhost only')
    }
    if (!isOwnOrigin(origin, this.#port)) {
      throw new SynapticError('refused', 'requests of other pages are refused')
    }
  }

  #checkToken(request: http.IncomingMessage): void {
    if (tokenMatches(bearerToken(request.headers.authorization), this.token)) return
    throw new SynapticError(
      'unauthorised',
      'the token is missing or wrong',
      'open the dashboard by the link that `synaptic-mesh status` prints',
    )
  }

  #file(request: http.IncomingMessage, response: http.ServerResponse, urlPath: string): void {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end()
    } else if (!this.#options.dashboard.serve(request, response, urlPath)) {
      response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('not found\n')
    }
  }

  async #api(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    command: string,
  ): Promise<void> {
    if (command === 'events' && request.method === 'GET') return this.#stream(response)
    if (command === 'metrics' && request.method === 'GET') return this.#metrics(response)
    const isRead = command === 'status' && request.method === 'GET'
    if (request.method !== 'POST' && !isRead) {
      response.writeHead(405, { allow: 'POST' }).end()
      return
    }
    const body = isRead ? {} : await readJson(request)
    const data = await this.#options.target.call(command, body)
    response.setHeader('cache-control', 'no-store')
    if (data instanceof Uint8Array) {
      response.writeHead(200, { 'content-type': 'application/vnd.ipld.car' }).end(data)
    } else {
      sendJson(response, 200, { ok: true, data: data ?? null })
    }
  }

  async #metrics(response: http.ServerResponse): Promise<void> {
    const metrics = (await this.#options.target.call('metrics', {})) as readonly Metric[]
    const headers = { 'content-type': METRICS_TYPE, 'cache-control': 'no-store' }
    response.writeHead(200, headers).end(prometheusText(metrics))
  }

  async #stream(response: http.ServerResponse): Promise<void> {
    if (this.#streams >= STREAMS_MAX) {
      throw new SynapticError('busy', `${STREAMS_MAX} readers follow the events already`)
    }
    this.#streams += 1
    const events = this.#options.target.events()
    const heartbeat = setInterval(() => response.write('\n'), HEARTBEAT_MS)
    response.on('close', () => void events.return?.())
    response.writeHead(200, {
      'content-type': 'application/x-ndjson; charset=utf-8',
      'cache-control': 'no-store',
    })
    response.flushHeaders()
    try {
      for await (const { type, ...data } of events) {
        if (response.writableLength > STREAM_BYTES_MAX) break
        response.write(`${toJson({ event: type, data })}\n`)
      }
    } catch (thrown) {
      // The reader has its headers already: the failure is the last line of its stream.
      response.write(`${toJson({ ok: false, error: toSynapticError(thrown).toProblem() })}\n`)
    } finally {
      clearInterval(heartbeat)
      this.#streams -= 1
      response.end()
    }
  }
}

function sendJson(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${toJson(body)}\n`)
}

function sendError(response: http.ServerResponse, error: SynapticError): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.setHeader('cache-control', 'no-store')
  const status = STATUS_BY_CODE[error.code] ?? 422
  sendJson(response, status, { ok: false, error: error.toProblem() })
}

async function readJson(request: http.IncomingMessage): Promise<Record<string, unknown>> {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
    throw new SynapticError('usage', 'send JSON: content-type must be application/json')
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) {
      throw new SynapticError('usage', `a request has at most ${BODY_BYTES_MAX} bytes`)
    }
    chunks.push(chunk)
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>
    }
  } catch {
    // Reported below, like every other body that is not an object.
  }
  throw new SynapticError('usage', 'the body is not a JSON object')
}
