/**
 * The owner's view of the Node process that serves this page.
 *
 * With the token of the dashboard link it reads `/api/status` and follows `/api/events` (one JSON
 * document per line), and turns both into the actions a tab's own node would send. It only reads.
 * The token travels in the Authorization header, never in an address.
 */

import type { TrainingView } from '../../npm/src/run-log.ts'
import type { MeshEvent } from '../../wasm/mesh.js'
import { Failure, toProblem } from './problem.ts'
import type { Action, Status } from './store.ts'

/** How often the figures that no event carries (round-trip times, storage) are read again. */
const STATUS_EVERY_MS = 3000
/** First and longest wait before asking a node that went away again. */
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 10_000
/** Least time between two looks at the course of a run. */
const COURSE_EVERY_MS = 500
/** Characters of one event line: a round of 256 contributors needs about 16 thousand. */
const LINE_CHARS_MAX = 1024 * 1024

const MESH_EVENTS = ['ready', 'peer', 'update', 'round', 'run', 'warning', 'stopped']

/** What the training side of a Node process tells besides the events of the mesh. */
type HostEvent =
  | {
      readonly type: 'trained'
      readonly run: string
      readonly round: number
      readonly loss: number
      readonly accuracy: number | null
    }
  | {
      readonly type: 'evaluated'
      readonly run: string
      readonly round: number
      readonly rows: number
      readonly accuracy: number | null
    }

/** Follows the node until the token is refused. Resolves only then. */
export async function watch(
  token: string,
  dispatch: (action: Action) => void,
  onNews: (round?: number) => void,
): Promise<void> {
  let wait = RETRY_MS_MIN
  for (;;) {
    try {
      await look(token, dispatch)
      onNews()
      wait = RETRY_MS_MIN
      await follow(token, dispatch, onNews)
    } catch (error) {
      const problem = toProblem(error, 'api-lost')
      if (problem.code === 'token-refused') {
        dispatch({ type: 'lost', problem })
        return
      }
      dispatch({ type: 'lost', problem: gone() })
    }
    await pause(wait)
    wait = Math.min(wait * 2, RETRY_MS_MAX)
  }
}

/** The token of this tab: from the fragment (which is then cleared) or kept from before. */
export function takeToken(fragment: URLSearchParams): string | null {
  const given = fragment.get('token')
  if (given === null) return sessionStorage.getItem('synaptic-mesh/token')
  sessionStorage.setItem('synaptic-mesh/token', given)
  history.replaceState(null, '', location.pathname)
  return given
}

export function forgetToken(): void {
  sessionStorage.removeItem('synaptic-mesh/token')
}

/** Reads the course of the run that is shown: not more often than an eye follows, one at a time. */
export class Course {
  readonly #token: string
  readonly #dispatch: (action: Action) => void
  readonly #wanted: () => { run: string; from: number } | null
  #isReading = false
  #isStale = false
  /** The oldest round that something came for since it was read. */
  #changed = Number.POSITIVE_INFINITY

  constructor(
    token: string,
    dispatch: (action: Action) => void,
    wanted: () => { run: string; from: number } | null,
  ) {
    this.#token = token
    this.#dispatch = dispatch
    this.#wanted = wanted
  }

  /** There may be news, of `round` at least. */
  look(round = Number.POSITIVE_INFINITY): void {
    this.#isStale = true
    this.#changed = Math.min(this.#changed, round)
    if (!this.#isReading) void this.#read()
  }

  async #read(): Promise<void> {
    this.#isReading = true
    while (this.#isStale) {
      this.#isStale = false
      const wanted = this.#wanted()
      if (wanted === null) break
      const changed = this.#changed
      this.#changed = Number.POSITIVE_INFINITY
      const body = { ...wanted, from: Math.min(wanted.from, changed) }
      try {
        const response = await ask('/api/run.training', this.#token, { body })
        const { data } = (await response.json()) as { data: TrainingView }
        this.#dispatch({ type: 'training', view: data })
      } catch {
        // A node that does not answer is noticed, and told, by who follows its events.
        this.#changed = Math.min(this.#changed, changed)
      }
      await pause(COURSE_EVERY_MS)
    }
    this.#isReading = false
  }
}

async function look(token: string, dispatch: (action: Action) => void): Promise<void> {
  const response = await ask('/api/status', token)
  const body: unknown = await response.json()
  const status = statusOf(body)
  if (status === null) throw new Error('the node answered with something that is not a status')
  dispatch({ type: 'status', at: Date.now(), status })
}

/** Reads the event stream until it ends, and the status again now and then beside it. */
async function follow(
  token: string,
  dispatch: (action: Action) => void,
  onNews: (round?: number) => void,
): Promise<void> {
  const ending = new AbortController()
  const timer = setInterval(() => {
    look(token, dispatch).then(
      () => onNews(),
      (error) => ending.abort(error),
    )
  }, STATUS_EVERY_MS)
  try {
    const response = await ask('/api/events', token, { signal: ending.signal })
    if (response.body === null) throw new Error('the node sent no event stream')
    for await (const line of linesOf(response.body)) {
      const action = actionOf(line)
      if (action === null) continue
      dispatch(action)
      onNews(
        action.type === 'mesh' && action.event.type === 'update' ? action.event.round : undefined,
      )
    }
    throw new Error('the event stream ended')
  } finally {
    clearInterval(timer)
    ending.abort()
  }
}

async function ask(
  path: string,
  token: string,
  { signal = null, body }: { signal?: AbortSignal | null; body?: object } = {},
): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const posted = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(path, { headers, signal, cache: 'no-store', ...posted })
  if (response.status === 401 || response.status === 403) {
    forgetToken()
    throw new Failure(
      'token-refused',
      'The node does not accept the token of this page.',
      'Run `npx synaptic-mesh status` and open the dashboard link it prints.',
    )
  }
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}`)
  return response
}

async function* linesOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + value).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LINE_CHARS_MAX) throw new Error('an event line is too long')
    yield* lines.filter((line) => line.trim() !== '')
  }
}

/** Status and events may come bare or in the command line's `{ok, data}` / `{event, data}` form. */
function statusOf(body: unknown): Status | null {
  const data = isObject(body) && isObject(body.data) ? body.data : body
  return isObject(data) && Array.isArray(data.peers) ? (data as unknown as Status) : null
}

/** The action an event line means, or null for what this page does not show. */
function actionOf(line: string): Action | null {
  const body: unknown = JSON.parse(line)
  if (!isObject(body)) return null
  const { event, data } = body
  const flat = typeof event === 'string' && isObject(data) ? { type: event, ...data } : body
  const at = Date.now()
  if (MESH_EVENTS.includes(String(flat.type))) {
    return { type: 'mesh', at, event: flat as unknown as Exclude<MeshEvent, { type: 'train' }> }
  }
  return trainingAction(flat as unknown as HostEvent, at)
}

function trainingAction(event: HostEvent, at: number): Action | null {
  if (event.type === 'trained') {
    const { run, round, accuracy, loss } = event
    return { type: 'local', at, run, round, accuracy, loss }
  }
  if (event.type === 'evaluated' && event.accuracy !== null) {
    const { run, round, accuracy, rows } = event
    return { type: 'together', at, run, round, accuracy, measured: { on: 'test', rows } }
  }
  return null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function gone() {
  return {
    code: 'api-lost',
    message: 'The node that serves this page does not answer.',
    hint: 'Start it again with `npx synaptic-mesh start`; this page goes on asking.',
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
