/**
 * What the page knows: one immutable state, changed by actions, drawn by the views.
 *
 * `reduce` is pure: no clock, no DOM, no IO (times come inside actions), so every state a user can see
 * is reachable in a test. The node worker and the owner's API client speak the same actions; a view
 * cannot tell which of the two it draws. Every list is bounded, oldest first out.
 */

import type { Attack } from '../../npm/src/attack.ts'
import { ROUNDS_KEPT_MAX, type TrainingView } from '../../npm/src/run-log.ts'
import type { MeshEvent, MeshStatus, PeerView, RunView, TrainEvent } from '../../wasm/mesh.js'
import type { Problem } from './problem.ts'
import type { Survey } from './rows.ts'

/** Lines kept in the activity list: a few screens. */
export const LOG_MAX = 200
/** Points kept per run: the last ones; a plot is 600 px wide. */
export const POINTS_MAX = 2000
/** Problems shown at once. */
export const PROBLEMS_MAX = 4
/** Runs a page keeps curves of. */
export const CURVES_MAX = 16
/** Closed rounds of a course that are asked for again. */
const ROUNDS_AGAIN = 8
/** After so long without any peer a tab says "offline" and not "connecting". */
export const CONNECT_PATIENCE_MS = 8000

export type Mode = 'landing' | 'tab' | 'owner'
/** What the page shows: how things stand, or the course of the run. */
export type Page = 'overview' | 'training'
export type Connection = 'starting' | 'connecting' | 'online' | 'offline' | 'dead'
/** The one word for automation and for the pill in the header. */
export type StateWord = 'idle' | 'joining' | 'joined' | 'training' | 'finished' | 'offline' | 'dead'

/** What is shown of a peer. */
export type Peer = Pick<PeerView, 'id' | 'transport' | 'path' | 'rttMs'>

/** What a tab's node says of itself, and the serving node with what its host adds. */
export type Status = Omit<MeshStatus, 'storage'> & {
  readonly storage: {
    readonly kind: string
    readonly bytes: number | null
    readonly path?: string | null
  }
  readonly join?: string
}

/** Which picked file: rows to learn from, or held-out rows to measure with. */
export type Slot = 'rows' | 'test'

/** One round of a run, as it was seen from here. Accuracies are shares of 1. */
export interface Point {
  readonly round: number
  readonly at: number
  readonly updates: number
  readonly contributors: readonly string[]
  /** Accuracy of the shared model after this round, where somebody measured it. */
  readonly together: number | null
  /** Accuracy of this member's local model on its own rows, before averaging. */
  readonly local: number | null
  readonly loss: number | null
}

/** What the rows of this tab reach without anybody's help. */
export type Alone =
  | { readonly state: 'training'; readonly epoch: number; readonly epochs: number }
  | { readonly state: 'done'; readonly accuracy: number; readonly measured: Measured }

/** What an accuracy was measured on. */
export interface Measured {
  readonly on: Slot
  readonly rows: number
}

export interface PickedFile {
  readonly name: string
  readonly bytes: number
  readonly survey: Survey
}

/** A trained model this page can use without the node. */
export interface Model {
  readonly run: string
  readonly name: string
  readonly round: number
  readonly features: number
  readonly classes: readonly string[]
  readonly bytes: number
  readonly savedAt: number | null
}

/** One answered row: the class and how sure, or the outputs of a regression. */
export interface Answer {
  readonly label: string
  readonly confidence: number | null
}

/** What is known about one run besides its view. */
export interface Curve {
  readonly points: readonly Point[]
  readonly alone: Alone | null
  readonly together: {
    readonly accuracy: number
    readonly round: number
    readonly measured: Measured
  } | null
}

/** What a profile keeps of its last run, beside the weights. */
export interface SavedRun {
  readonly view: RunView
  readonly curve: Curve
  readonly model: Model
}

export interface LogLine {
  readonly at: number
  readonly text: string
}

export interface State {
  readonly mode: Mode
  readonly startedAt: number
  readonly nodeId: string | null
  readonly network: string | null
  readonly meshName: string | null
  readonly slot: number | null
  readonly invite: string | null
  readonly nodeRunning: boolean
  readonly dead: boolean
  readonly metPeer: boolean
  readonly peers: readonly Peer[]
  readonly runs: readonly RunView[]
  readonly selected: string | null
  readonly curves: Readonly<Record<string, Curve>>
  readonly jobs: number
  readonly joining: string | null
  readonly files: Readonly<Record<Slot, PickedFile | null>>
  readonly model: Model | null
  readonly answers: readonly Answer[] | null
  readonly vertices: number
  readonly blobs: { readonly count: number; readonly bytes: number }
  readonly storage: {
    readonly kind: string
    readonly bytes: number | null
    readonly path: string | null
  } | null
  readonly persisted: boolean | null
  /** How this tab lies, for an experiment. */
  readonly attack: Attack | null
  readonly problems: readonly Problem[]
  readonly log: readonly LogLine[]
  readonly now: number
  readonly page: Page
  /** The courses of runs, as far as they were asked for. */
  readonly training: Readonly<Record<string, TrainingView>>
}

export type Action =
  | { readonly type: 'opened'; readonly mode: Mode; readonly at: number }
  | {
      readonly type: 'profile'
      readonly network: string
      readonly meshName: string | null
      readonly slot: number
      readonly nodeId: string | null
      readonly invite: string
      readonly saved: SavedRun | null
    }
  | { readonly type: 'node'; readonly nodeId: string }
  | { readonly type: 'status'; readonly at: number; readonly status: Status }
  | { readonly type: 'runs'; readonly runs: readonly RunView[] }
  | { readonly type: 'mesh'; readonly at: number; readonly event: Exclude<MeshEvent, TrainEvent> }
  | {
      readonly type: 'job'
      readonly run: string
      readonly round: number
      readonly running: boolean
    }
  | {
      readonly type: 'local'
      readonly at: number
      readonly run: string
      readonly round: number
      readonly accuracy: number | null
      readonly loss: number
    }
  | {
      readonly type: 'together'
      readonly at: number
      readonly run: string
      readonly round: number
      readonly accuracy: number
      readonly measured: Measured
    }
  | { readonly type: 'alone'; readonly run: string; readonly alone: Alone | null }
  | { readonly type: 'file'; readonly slot: Slot; readonly file: PickedFile | null }
  | { readonly type: 'joining'; readonly run: string | null }
  | { readonly type: 'select'; readonly run: string }
  | { readonly type: 'page'; readonly page: Page }
  | { readonly type: 'training'; readonly view: TrainingView }
  | { readonly type: 'model'; readonly model: Model }
  | { readonly type: 'answers'; readonly answers: readonly Answer[] | null }
  | { readonly type: 'persisted'; readonly persisted: boolean }
  | { readonly type: 'attack'; readonly attack: Attack | null }
  | { readonly type: 'problem'; readonly problem: Problem }
  | { readonly type: 'solved'; readonly code: string }
  | { readonly type: 'dead'; readonly problem: Problem }
  | { readonly type: 'lost'; readonly problem: Problem }
  | { readonly type: 'tick'; readonly at: number }

export const initial: State = {
  mode: 'landing',
  startedAt: 0,
  nodeId: null,
  network: null,
  meshName: null,
  slot: null,
  invite: null,
  nodeRunning: false,
  dead: false,
  metPeer: false,
  peers: [],
  runs: [],
  selected: null,
  curves: {},
  jobs: 0,
  joining: null,
  files: { rows: null, test: null },
  model: null,
  answers: null,
  vertices: 0,
  blobs: { count: 0, bytes: 0 },
  storage: null,
  persisted: null,
  attack: null,
  problems: [],
  log: [],
  now: 0,
  page: 'overview',
  training: {},
}

/** The next state. Unknown runs and peers in an action are accepted: events may overtake views. */
export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'opened':
      return { ...state, mode: action.mode, startedAt: action.at, now: action.at }
    case 'profile':
      return onProfile(state, action)
    case 'node':
      return { ...state, nodeId: action.nodeId, nodeRunning: true }
    case 'status':
      return onStatus(state, action.status, action.at)
    case 'runs':
      return onRuns(state, action.runs)
    case 'mesh':
      return onMesh({ ...state, now: action.at }, action.event, action.at)
    case 'job':
      return { ...state, jobs: Math.max(0, state.jobs + (action.running ? 1 : -1)) }
    case 'local':
      return onPoint(state, action.run, action.round, action.at, {
        local: action.accuracy,
        loss: action.loss,
      })
    case 'together':
      return onTogether(state, action)
    case 'alone':
      return onCurve(state, action.run, (curve) => ({ ...curve, alone: action.alone }))
    case 'file':
      return { ...state, files: { ...state.files, [action.slot]: action.file } }
    case 'joining':
      return { ...state, joining: action.run }
    case 'select':
      return { ...state, selected: action.run }
    case 'page':
      return { ...state, page: action.page }
    case 'training':
      return onTraining(state, action.view)
    case 'model':
      return { ...state, model: action.model, answers: null }
    case 'answers':
      return { ...state, answers: action.answers }
    case 'persisted':
      return { ...state, persisted: action.persisted }
    case 'attack':
      return { ...state, attack: action.attack }
    case 'problem':
      return withProblem(state, action.problem)
    case 'solved':
      return { ...state, problems: state.problems.filter(({ code }) => code !== action.code) }
    case 'dead':
      return withProblem(
        { ...state, dead: true, peers: [], jobs: 0, joining: null },
        action.problem,
      )
    case 'lost':
      return withProblem({ ...state, nodeRunning: false, peers: [] }, action.problem)
    case 'tick':
      return { ...state, now: action.at }
  }
}

/** How the node stands to the mesh, apart from any run. */
export function connection(state: State): Connection {
  if (state.dead) return 'dead'
  if (state.mode === 'owner') {
    if (state.nodeRunning) return 'online'
    return state.metPeer ? 'offline' : 'starting'
  }
  if (state.peers.length > 0) return 'online'
  if (state.metPeer || state.now - state.startedAt > CONNECT_PATIENCE_MS) return 'offline'
  return state.nodeRunning ? 'connecting' : 'starting'
}

/**
 * The one word for where this page is. A finished run stays finished when peers leave: that is how
 * a mesh ends; whether it is online is told beside it.
 */
export function stateWord(state: State): StateWord {
  const link = connection(state)
  if (link === 'dead') return 'dead'
  if (state.mode === 'landing') return 'idle'
  const run = currentRun(state)
  if (run?.state === 'finished') return 'finished'
  if (link === 'offline') return 'offline'
  if (link !== 'online' || state.joining !== null) return 'joining'
  if (run?.state === 'running' && (run.contributing || state.jobs > 0)) return 'training'
  return 'joined'
}

/** The run the page is about: the chosen one, else the one contributed to, else the newest. */
export function currentRun(state: State): RunView | null {
  const by = (test: (run: RunView) => boolean) => state.runs.findLast(test)
  return (
    by((run) => run.run === state.selected) ??
    by((run) => run.contributing) ??
    by((run) => run.state !== 'finished') ??
    state.runs.at(-1) ??
    null
  )
}

export const emptyCurve: Curve = { points: [], alone: null, together: null }

/** What is known about `run`'s course. */
export function curveOf(state: State, run: string | null): Curve {
  return (run === null ? undefined : state.curves[run]) ?? emptyCurve
}

/** Rounds of `run` whose aggregate holds an update of this node. */
export function roundsContributed(state: State, run: string): number {
  const self = state.nodeId
  if (self === null) return 0
  return curveOf(state, run).points.filter(({ contributors }) => contributors.includes(self)).length
}

/** The first round to ask for again: late updates still come in for those before the last. */
export function trainingFrom(state: State, run: string): number {
  const closed = state.training[run]?.course.findLast(({ result }) => result !== null)
  return Math.max(1, (closed?.round ?? 1) - ROUNDS_AGAIN)
}

/** Rounds that have changed replace what was known of them. */
function onTraining(state: State, view: TrainingView): State {
  const first = view.course[0]?.round ?? Number.POSITIVE_INFINITY
  const before = state.training[view.run]?.course.filter(({ round }) => round < first) ?? []
  const course = [...before, ...view.course].slice(-ROUNDS_KEPT_MAX)
  const others = Object.entries(state.training).filter(([run]) => run !== view.run)
  const kept = others.slice(-(CURVES_MAX - 1))
  const training = Object.fromEntries([...kept, [view.run, { ...view, course }]])
  return { ...state, training }
}

function onProfile(state: State, profile: Extract<Action, { type: 'profile' }>): State {
  const { network, meshName, slot, nodeId, invite, saved } = profile
  const next: State = { ...state, network, meshName, slot, nodeId, invite }
  if (saved === null) return next
  return {
    ...next,
    runs: [saved.view],
    selected: saved.view.run,
    curves: { [saved.view.run]: saved.curve },
    model: saved.model,
  }
}

function onStatus(state: State, status: Status, at: number): State {
  const next: State = {
    ...state,
    now: at,
    nodeRunning: status.running,
    nodeId: status.nodeId,
    network: status.network,
    meshName: status.name || state.meshName,
    invite: status.join ?? state.invite,
    peers: status.peers,
    metPeer: state.metPeer || status.peers.length > 0 || state.mode === 'owner',
    vertices: status.vertices,
    blobs: status.blobs,
    storage: { ...status.storage, path: status.storage.path ?? null },
  }
  const reached = status.peers.length > 0 || state.mode === 'owner'
  return onRuns(reached ? solved(next, ['no-peers', 'api-lost']) : next, status.runs)
}

/** Views come from the node's store; a restored run it does not know (yet) is kept. */
function onRuns(state: State, runs: readonly RunView[]): State {
  const known = new Set(runs.map(({ run }) => run))
  const restored = state.runs.filter(({ run }) => run === state.model?.run && !known.has(run))
  return { ...state, runs: [...restored, ...runs] }
}

function onMesh(state: State, event: Exclude<MeshEvent, TrainEvent>, at: number): State {
  switch (event.type) {
    case 'ready':
      return { ...state, nodeRunning: true }
    case 'peer':
      return onPeer(state, event, at)
    case 'update':
      return withLog(state, at, `${shortId(event.author)} sent its update for round ${event.round}`)
    case 'round':
      return onRound(state, event, at)
    case 'run':
      return onRunEvent(state, event, at)
    case 'finalised':
      return withLog(state, at, `Final: ${event.kind} of ${shortId(event.author)}`)
    case 'epoch':
      return withLog(state, at, `Epoch ${event.epoch}: a committee of ${event.members} decides`)
    case 'finality':
      // That it is lost, and what to do, is said by a warning.
      return event.state === 'quorum' || event.state === 'sampled'
        ? withLog(solved(state, ['no-quorum', 'no-polls']), at, 'Finality is back')
        : state
    case 'warning':
      return withProblem(state, { code: event.code, message: event.message, hint: event.hint })
    // Only a node that logs what it relays tells these, and for a program.
    case 'cell':
      return state
    case 'stopped':
      return { ...state, nodeRunning: false, peers: [] }
  }
}

function onPeer(state: State, event: Extract<MeshEvent, { type: 'peer' }>, at: number): State {
  const others = state.peers.filter(({ id }) => id !== event.id)
  if (event.state === 'disconnected') {
    const why = event.reason === '' ? '' : `: ${event.reason}`
    return withLog({ ...state, peers: others }, at, `${shortId(event.id)} left${why}`)
  }
  const known = state.peers.find(({ id }) => id === event.id)
  const peer = known ?? { id: event.id, transport: event.transport, path: 'direct', rttMs: null }
  const next = solved({ ...state, peers: [...others, peer], metPeer: true }, ['no-peers'])
  return known === undefined ? withLog(next, at, `${shortId(event.id)} connected`) : next
}

function onRound(state: State, event: Extract<MeshEvent, { type: 'round' }>, at: number): State {
  const { run, round, rounds, updates, contributors, weightsCid } = event
  const runs = state.runs.map(
    (view): RunView =>
      view.run === run
        ? { ...view, round, rounds, weightsCid, state: round >= rounds ? 'finished' : 'running' }
        : view,
  )
  const next = onPoint({ ...state, runs }, run, round, at, {
    updates,
    contributors,
  })
  return withLog(next, at, `Round ${round} of ${rounds} adopted from ${updates} updates`)
}

function onRunEvent(state: State, event: Extract<MeshEvent, { type: 'run' }>, at: number): State {
  const runs = state.runs.map((view): RunView => {
    if (view.run !== event.run) return view
    if (event.state === 'finished') return { ...view, state: 'finished' }
    return view
  })
  return withLog({ ...state, runs }, at, `Run ${event.name} ${event.state}`)
}

function onTogether(state: State, action: Extract<Action, { type: 'together' }>): State {
  const { run, round, accuracy, measured, at } = action
  const next = onPoint(state, run, round, at, { together: accuracy })
  return onCurve(next, run, (curve) => {
    const newer = curve.together === null || round >= curve.together.round
    return newer ? { ...curve, together: { accuracy, round, measured } } : curve
  })
}

/** Merges what is now known about one round into the curve, which stays sorted by round. */
function onPoint(
  state: State,
  run: string,
  round: number,
  at: number,
  known: Partial<Point>,
): State {
  return onCurve(state, run, (curve) => {
    const place = curve.points.findIndex((point) => point.round >= round)
    const found = place >= 0 ? curve.points[place] : undefined
    const fresh: Point = {
      round,
      at,
      updates: 0,
      contributors: [],
      together: null,
      local: null,
      loss: null,
    }
    const points =
      found?.round === round
        ? curve.points.with(place, { ...found, ...known })
        : curve.points.toSpliced(place < 0 ? curve.points.length : place, 0, { ...fresh, ...known })
    return { ...curve, points: points.slice(-POINTS_MAX) }
  })
}

function onCurve(state: State, run: string, change: (curve: Curve) => Curve): State {
  const rest = Object.entries(state.curves).filter(([key]) => key !== run)
  const kept = rest.slice(-(CURVES_MAX - 1))
  return { ...state, curves: Object.fromEntries([...kept, [run, change(curveOf(state, run))]]) }
}

function withLog(state: State, at: number, text: string): State {
  return { ...state, log: [...state.log, { at, text }].slice(-LOG_MAX) }
}

/** The same cause is told once; the newest words win. */
function withProblem(state: State, problem: Problem): State {
  const others = state.problems.filter(({ code }) => code !== problem.code)
  return { ...state, problems: [...others, problem].slice(-PROBLEMS_MAX) }
}

function solved(state: State, codes: readonly string[]): State {
  if (!state.problems.some(({ code }) => codes.includes(code))) return state
  return { ...state, problems: state.problems.filter(({ code }) => !codes.includes(code)) }
}

/** The first characters of an id, enough to tell members of one mesh apart. */
export function shortId(id: string): string {
  return id.slice(0, 6)
}
