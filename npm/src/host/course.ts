/**
 * The course of every run of a node, read from the history in its store as it grows, and its own
 * scores from its events.
 */
import { base32, decodeDagCbor, type Value } from '../dag/cbor.js'
import { vertexId } from '../dag/ids.js'
import type { NodeEvent } from '../node.js'
import { type RunLog, RunLogs, refusedOf, type TrainingView } from '../run-log.js'
import type { RunView } from '../wasm.js'
import type { StoredVertex } from './store.js'

/** Vertices that are read at once. */
const PIECE = 256
/** What a vertex has in it that is about runs. Most are votes, which are not decoded. */
const KINDS = ['run-start', 'run-join', 'run-leave', 'update', 'aggregate']
/** What the course is read from. */
export interface CourseStore {
  /** So many vertices that were stored after the one with this number. */
  verticesAfter(number: number, count: number): StoredVertex[]
}

/** The courses of a node's runs. */
export class Courses {
  readonly #store: CourseStore | undefined
  readonly #logs = new RunLogs()
  #read = 0

  constructor(store: CourseStore | undefined) {
    this.#store = store
  }

  /** Takes note of what an event tells that the history does not. */
  observe(event: NodeEvent): void {
    this.#logs.observe(event, this.#store !== undefined)
  }

  /** The course of a run from a round on. */
  view(run: RunView, counters: Readonly<Record<string, number>>, from: number): TrainingView {
    this.#readOn()
    return this.#logs.of(run.run).view(run, refusedOf(counters), from)
  }

  #readOn(): void {
    for (;;) {
      const piece = this.#store?.verticesAfter(this.#read, PIECE) ?? []
      for (const { number, key, value } of piece) {
        this.#read = number
        if (isOfRuns(value)) this.#take(vertexId(key), value)
      }
      if (piece.length < PIECE) return
    }
  }

  #take(id: string, bytes: Uint8Array): void {
    const vertex = vertexOf(bytes)
    const author = base32(bytesIn(vertex.author))
    const timeMs = Number(vertex.time_ms)
    for (const payload of listIn(vertex.payloads).map(mapIn)) {
      const at = { id, author, timeMs, vertexBytes: bytes.length }
      if (payload.type === 'run-start') this.#start(id, payload)
      else if (payload.run !== undefined)
        this.#file(this.#logs.of(linkIn(payload.run)), payload, at)
    }
  }

  #start(id: string, { rounds, quorum, updates_min, deadline_ms }: Fields): void {
    const updatesMin = Number(updates_min)
    const closes = { quorum: Number(quorum), updatesMin, deadlineMs: Number(deadline_ms) }
    this.#logs.of(id).started(Number(rounds), closes)
  }

  #file(log: RunLog, payload: Fields, at: Signed): void {
    const round = Number(payload.round)
    const samples = Number(payload.samples)
    if (payload.type === 'run-join') log.joined(at.author, samples, at.timeMs)
    if (payload.type === 'run-leave') log.left(at.author, at.timeMs)
    if (payload.type === 'update') {
      const [base, bytes] = [linkIn(payload.base), Number(payload.delta_bytes)]
      log.update({ ...at, round, samples, base, bytes })
    }
    if (payload.type === 'aggregate') {
      const [base, weightsCid] = [linkIn(payload.base), linkIn(payload.weights)]
      const updates = listIn(payload.updates).map(linkIn)
      log.aggregate({ ...at, round, base, updates, weightsCid })
    }
  }
}

function isOfRuns(record: Uint8Array): boolean {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  return KINDS.some((kind) => bytes.includes(kind))
}

interface Signed {
  readonly id: string
  readonly author: string
  readonly timeMs: number
  readonly vertexBytes: number
}

type Fields = Readonly<Record<string, Value>>

/** A record is the bytes of a vertex, and those of its signature. */
function vertexOf(record: Uint8Array): Fields {
  const [vertex] = listIn(decodeDagCbor(record))
  return mapIn(decodeDagCbor(bytesIn(vertex)))
}

function listIn(value: Value | undefined): Value[] {
  return Array.isArray(value) ? value : []
}

function mapIn(value: Value | undefined): Fields {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isMap ? value : {}
}

/** The id that a link names. */
function linkIn(value: Value | undefined): string {
  const link = mapIn(value)['/']
  return typeof link === 'string' ? link : ''
}

function bytesIn(value: Value | undefined): Uint8Array {
  const { bytes } = mapIn(mapIn(value)['/'])
  return new Uint8Array(Buffer.from(typeof bytes === 'string' ? bytes : '', 'base64'))
}
