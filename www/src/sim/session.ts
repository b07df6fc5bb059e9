/**
 * One simulation of the page: how far it has come, what it looks like, and what was done to it.
 *
 * The world is computed in small steps between two frames, never longer than a frame has time for,
 * so that a large network makes it slower and never stuck.
 */
import { computed, signal } from '@preact/signals'

import { Simulation } from '../../../pkg/sim/sim.js'

/** What a page starts with. */
export interface Choice {
  readonly scenario: string
  readonly nodes: number
  readonly seed: number
}

/** A message on its way, in virtual milliseconds; `until` is NaN when it is lost. */
export interface Flight {
  readonly from: number
  readonly to: number
  readonly since: number
  readonly until: number
}

export const CONDITIONS = ['down', 'up', 'frozen', 'Byzantine'] as const

/** A member as it is drawn. */
export interface Member {
  readonly condition: (typeof CONDITIONS)[number]
  readonly vertices: number
  readonly peers: number
}

/** Virtual milliseconds per real one; the last is as fast as the machine computes. */
export const SPEEDS = [0.05, 0.25, 1, 10, Number.POSITIVE_INFINITY] as const

/** How long a frame may compute, in milliseconds: half of one at 60 Hz. */
const FRAME_MS = 8
/** Virtual milliseconds of one step: finer than the eye, coarser than the cost of a call. */
const STEP_MS = 20
/** How long a lost message is seen to leave, in virtual milliseconds. */
export const LOST_MS = 20
/** Messages drawn at once; more is fog. */
const FLIGHTS_MAX = 3000

let simulation: Simulation | null = null
let flights: Flight[] = []

export const choice = signal<Choice>({ scenario: 'partition-heal', nodes: 24, seed: 7 })
export const playing = signal(false)
export const speed = signal<number>(SPEEDS[1])
export const now = signal(0)
export const end = signal(0)
export const members = signal<readonly Member[]>([])
export const links = signal<Uint32Array>(new Uint32Array())
export const hash = signal('')
export const report = signal<string | null>(null)
export const ok = signal(true)
/** Whether somebody interfered: then the trace is no longer that of the scenario. */
export const touched = signal(false)
export const selected = signal<ReadonlySet<number>>(new Set())
export const cut = signal(false)

/** The page in one word. */
export const state = computed(() => {
  if (report.value !== null) return ok.value ? 'done' : 'broken'
  return playing.value ? 'playing' : 'paused'
})

/** Begins anew. Throws what the scenario is refused for. */
export function open(next: Choice): void {
  const fresh = Simulation.create(next.scenario, next.nodes, next.seed)
  simulation?.free()
  simulation = fresh
  flights = []
  choice.value = next
  playing.value = false
  now.value = 0
  report.value = null
  ok.value = true
  touched.value = false
  cut.value = false
  selected.value = new Set()
  look()
}

/** Goes on by a frame of `frameMs` real milliseconds. */
export function advance(frameMs: number): void {
  if (simulation === null || !playing.value || report.value !== null) return
  const until = Math.min(now.value + frameMs * speed.value, end.value)
  const stop = performance.now() + FRAME_MS
  let at = now.value
  while (at < until && performance.now() < stop) {
    at = Math.min(at + STEP_MS, until)
    simulation.runUntil(at)
  }
  now.value = at
  remember(simulation.flights())
  look()
}

/** Does something to the world now; the trace is another one from then on. */
export function interfere(change: (simulation: Simulation) => void): void {
  if (simulation === null || report.value !== null) return
  change(simulation)
  touched.value = true
  look()
}

/** Messages that are on their way at this moment. */
export function underWay(): readonly Flight[] {
  const at = now.value
  flights = flights.filter(({ since, until }) => at <= (until || since + LOST_MS))
  return flights
}

function remember(fresh: Float64Array): void {
  // What has arrived within the frame was never on its way for anybody to see.
  for (let place = 0; place < fresh.length && flights.length < FLIGHTS_MAX; place += 4) {
    const [from = 0, to = 0, since = 0, until = 0] = fresh.subarray(place, place + 4)
    if ((until || since + LOST_MS) >= now.value) flights.push({ from, to, since, until })
  }
}

function look(): void {
  if (simulation === null) return
  end.value = simulation.endMs()
  hash.value = simulation.traceHash()
  report.value = simulation.report() ?? null
  ok.value = simulation.isOk()
  // At the end there is nobody left to look at; the last picture stays.
  if (report.value !== null) return
  const numbers = simulation.members()
  members.value = Array.from({ length: numbers.length / 3 }, (_, node) => ({
    condition: CONDITIONS[numbers[3 * node] ?? 0] ?? 'down',
    vertices: numbers[3 * node + 1] ?? 0,
    peers: numbers[3 * node + 2] ?? 0,
  }))
  links.value = simulation.links()
}
