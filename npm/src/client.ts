/**
 * The other side of the control API: how commands talk to the running node of a home.
 */
import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import { type Problem, SynapticError } from './errors.js'
import { ARTEFACT_BYTES_MAX } from './files.js'
import { type Home, notInitialised } from './home.js'
import { hasIdentity } from './identity.js'
import { lockOwner } from './lock.js'

/** Commands answer at once, except those that train or collect first. */
const TIMEOUT_MS = 60_000
/** Longest event line that is read. */
const LINE_CHARS_MAX = 8 * 1024 * 1024

/** One line of an event stream. */
export interface ControlEvent {
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What control.json holds. */
interface ControlFile {
  readonly url: string
  readonly token: string
  readonly pid: number
}

/** A connection to a running node. */
export class ControlClient {
  readonly #file: ControlFile

  private constructor(file: ControlFile) {
    this.#file = file
  }

  /**
   * Finds the running node of a home.
   *
   * @throws SynapticError `not-initialised`, `not-running`
   */
  static connect(home: Home): ControlClient {
    const client = ControlClient.find(home)
    if (client !== undefined) return client
    if (!hasIdentity(home)) throw notInitialised(home)
    throw notRunning(home)
  }

  /** As {@link ControlClient.connect}, but undefined when no node is running. */
  static find(home: Home): ControlClient | undefined {
    const file = readControlFile(home)
    // After a crash the file stays behind; the lock knows whether its process is alive.
    return file !== undefined && lockOwner(home.lockFile) === file.pid
      ? new ControlClient(file)
      : undefined
  }

  /** Process id of the node. */
  get pid(): number {
    return this.#file.pid
  }

  /** Has a command carried out. `timeoutMs` 0 waits as long as it takes. */
  async call<T>(command: string, body: object = {}, timeoutMs = TIMEOUT_MS): Promise<T> {
    const response = await this.#post(command, body, timeoutMs)
    return parseAnswer<T>(await collect(response, command))
  }

  /** Has a command carried out that answers with bytes. */
  async bytes(command: string, body: object): Promise<Uint8Array> {
    const response = await this.#post(command, body, 0)
    const content = await collect(response, command)
    if (response.headers['content-type'] === 'application/json') parseAnswer(content)
    return content
  }

  /** What the node tells, until it stops or `signal` ends it. */
  async *events(signal?: AbortSignal): AsyncGenerator<ControlEvent, void, undefined> {
    const response = await this.#send('events', 'GET', signal)
    if (response.statusCode !== 200) {
      parseAnswer(await collect(response, 'events'))
      return
    }
    response.setEncoding('utf8')
    let rest = ''
    try {
      for await (const text of response as AsyncIterable<string>) {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        if (rest.length > LINE_CHARS_MAX) {
          throw new SynapticError('internal', 'an event is too long')
        }
        for (const line of lines) if (line !== '') yield parseEvent(line)
      }
    } catch (thrown) {
      throw connectionError(thrown, 'events')
    }
  }

  #post(command: string, body: object, timeoutMs: number): Promise<http.IncomingMessage> {
    const signal = timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined
    return this.#send(command, 'POST', signal, JSON.stringify(body))
  }

  /** Not `fetch`, which gives up after five minutes: a training alone may take longer. */
  #send(
    command: string,
    method: 'GET' | 'POST',
    signal: AbortSignal | undefined,
    body?: string,
  ): Promise<http.IncomingMessage> {
    const { url, token } = this.#file
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const options = signal === undefined ? {} : { signal }
    return new Promise((resolve, reject) => {
      const request = http.request(`${url}/api/${command}`, { method, headers, ...options })
      request.on('response', resolve)
      request.on('error', (error) => reject(connectionError(error, command)))
      request.end(body)
    })
  }
}

async function collect(response: http.IncomingMessage, command: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > ARTEFACT_BYTES_MAX) throw new SynapticError('internal', 'the answer is too long')
      chunks.push(chunk)
    }
  } catch (thrown) {
    throw connectionError(thrown, command)
  }
  return Buffer.concat(chunks)
}

function parseAnswer<T>(content: Buffer): T {
  const answer = JSON.parse(content.toString('utf8')) as { data: T } | { error: Problem }
  return 'error' in answer ? raise(answer.error) : answer.data
}

function parseEvent(line: string): ControlEvent {
  const value = JSON.parse(line) as ControlEvent | { error: Problem }
  return 'error' in value ? raise(value.error) : value
}

function raise({ code, message, hint }: Problem): never {
  throw new SynapticError(code, message, hint)
}

function connectionError(thrown: unknown, command: string): SynapticError {
  if (thrown instanceof SynapticError) return thrown
  const { name, code, cause } = thrown as NodeJS.ErrnoException & { cause?: Error }
  if (name === 'TimeoutError' || cause?.name === 'TimeoutError') {
    return new SynapticError('timeout', `the node did not answer "${command}" in time`)
  }
  if (name === 'AbortError') return new SynapticError('interrupted', 'interrupted')
  if (code === 'ECONNRESET' && WRITES.test(command)) {
    const message = `the node ended before it answered "${command}"`
    return new SynapticError('node-ended', message, MAYBE_DONE_HINT, { cause: thrown })
  }
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET') {
    return new SynapticError('not-running', 'the node has ended', START_HINT, { cause: thrown })
  }
  return new SynapticError('unreachable', `the node cannot be reached: ${String(thrown)}`, '', {
    cause: thrown,
  })
}

const MAYBE_DONE_HINT =
  'what it was asked to write it may have written: run `synaptic-mesh start`, and look, such as by `wallet pending`, `wallet history` or `finality list`, before you ask again'
/** Commands by which something is written for good. */
const WRITES =
  /^(run\.(start|join|leave)|committee\.propose|group\.(create|change|member)|wallet\.(transfer|hold|release|refund)|name\.(register|renew))$/
const START_HINT = 'run `synaptic-mesh start` first'

/** The error of commands that need a running node where there is none. */
export function notRunning(home: Home): SynapticError {
  return new SynapticError('not-running', `no node is running for ${home.directory}`, START_HINT)
}

function readControlFile(home: Home): ControlFile | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(home.controlFile, 'utf8'))
    if (typeof value !== 'object' || value === null) return undefined
    const { url, token, pid } = value as Record<string, unknown>
    const valid =
      typeof url === 'string' &&
      /^http:\/\/127\.0\.0\.1:\d+$/.test(url) &&
      typeof token === 'string' &&
      typeof pid === 'number'
    return valid ? { url, token, pid } : undefined
  } catch {
    return undefined
  }
}
