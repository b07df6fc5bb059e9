/**
 * The page: decides what this tab is, wires the worker to the state, draws the state.
 *
 * `#join=` or an earlier membership makes the tab a member; `#token=` makes it the owner's view of
 * the serving node; without either it explains itself. The page holds no protocol state.
 */
import { effect, signal } from '@preact/signals'
import { render } from 'preact'

import { decodeJoinLink, type JoinLink } from '../../npm/src/link.ts'
import type { Claim } from './identity.ts'
import { Course, takeToken, watch } from './owner.ts'
import { lendPeers } from './peer.ts'
import { type Problem, toProblem } from './problem.ts'
import { connect } from './rpc.ts'
import {
  type Action,
  connection,
  currentRun,
  initial,
  type Page,
  reduce,
  trainingFrom,
} from './store.ts'
import { type Actions, App } from './views/app.tsx'
import type { NodeApi } from './worker.ts'

import 'uplot/dist/uPlot.min.css'
import './style/base.css'
import './style/controls.css'
import './style/views.css'

const PROFILE_KEY = 'synaptic-mesh/profile'
/** How often the clock moves: "connecting" turns to "offline" by it, no figure depends on it. */
const TICK_MS = 1000

const state = signal(initial)
const dispatch = (action: Action) => {
  state.value = reduce(state.value, action)
}
const say = (problem: Problem) => dispatch({ type: 'problem', problem })

/** Runs what a click started; what goes wrong is told, never lost. */
function attempt(work: () => Promise<unknown>): void {
  work().catch((error: unknown) => say(toProblem(error)))
}

/** What every page can do by itself. */
const local = {
  select: (run: string) => dispatch({ type: 'select', run }),
  show: (page: Page) => dispatch({ type: 'page', page }),
  reload: () => location.reload(),
  dismiss: (code: string) => dispatch({ type: 'solved', code }),
  keep: () =>
    attempt(async () =>
      dispatch({ type: 'persisted', persisted: await navigator.storage.persist() }),
    ),
}

function start(): void {
  const fragment = new URLSearchParams(location.hash.slice(1))
  addEventListener('hashchange', () => location.reload())
  setInterval(() => dispatch({ type: 'tick', at: Date.now() }), TICK_MS)
  const joining = fragment.get('join')
  const token = joining === null ? takeToken(fragment) : null
  const act = token === null ? member(joining) : owner(token)
  render(<Root act={act} />, document.getElementById('root') as HTMLElement)
  const stop = effect(() => {
    if (connection(state.value) !== 'online' && state.value.mode !== 'landing') return
    // Not before: copying the shell would compete with starting the node.
    registerShell()
    queueMicrotask(() => stop())
  })
}

function Root({ act }: { act: Actions }) {
  return <App state={state.value} act={act} />
}

function owner(token: string): Actions {
  dispatch({ type: 'opened', mode: 'owner', at: Date.now() })
  const course = new Course(token, dispatch, wanted)
  attempt(() => watch(token, dispatch, (round) => course.look(round)))
  return {
    ...local,
    select: (run) => {
      local.select(run)
      course.look()
    },
    show: (page) => {
      local.show(page)
      course.look()
    },
    member: null,
  }
}

/** Which rounds of which run the page shows; null where it shows something else. */
function wanted(): { run: string; from: number } | null {
  const run = currentRun(state.value)
  if (run === null || state.value.page !== 'training') return null
  return { run: run.run, from: trainingFrom(state.value, run.run) }
}

function member(payload: string | null): Actions {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
  const endLending = lendTo(worker)
  const { remote, fail } = connect<NodeApi, Action>(worker, (action) => {
    if (action.type === 'dead') endLending()
    dispatch(action)
  })
  let opened = false
  worker.addEventListener('error', (event) => {
    event.preventDefault()
    // Before it has opened, the worker itself is missing; later its node says whether it is dead.
    if (opened) return say(toProblem(event.message))
    const problem = workerStopped(event.message)
    endLending()
    fail(problem)
    dispatch({ type: 'dead', problem })
  })
  attempt(async () => {
    if (payload !== null) dispatch({ type: 'opened', mode: 'tab', at: Date.now() })
    const link = payload === null ? null : readLink(payload)
    const claim = await remote.open({ link, ...rememberedProfile() }).catch(giveUp)
    opened = true
    if (claim !== null) sessionStorage.setItem(PROFILE_KEY, JSON.stringify(claim))
    dispatch({ type: 'persisted', persisted: await navigator.storage.persisted() })
  })
  addEventListener('pagehide', () => void remote.close().catch(() => {}))
  // A page that comes back from the browser's cache has lost its node: start over.
  addEventListener('pageshow', (event) => event.persisted && location.reload())
  return {
    ...local,
    select: (run) => {
      local.select(run)
      attempt(() => remote.select(run))
    },
    member: {
      pick: (slot, file) => attempt(() => remote.pick(slot, file)),
      join: (run) => attempt(() => remote.join(run)),
      leave: (run) => attempt(() => remote.leave(run)),
      lie: (attack) => attempt(() => remote.lie(attack)),
      trainAlone: (run) => attempt(() => remote.trainAlone(run)),
      answer: (text) => remote.answer(text).then(() => null, toProblem),
    },
  }
}

/** A worker has no peer connections; this page lends it some, where there is WebRTC, until told. */
function lendTo(worker: Worker): () => void {
  if (typeof RTCPeerConnection === 'undefined') return () => {}
  const { port1, port2 } = new MessageChannel()
  const end = lendPeers(port1)
  worker.postMessage({ peers: port2 }, [port2])
  return end
}

/** Without storage, locks or SIMD there is no node: final for this page, and said. */
function giveUp(error: unknown): null {
  dispatch({ type: 'opened', mode: 'tab', at: Date.now() })
  dispatch({ type: 'dead', problem: toProblem(error) })
  return null
}

/** A bad link is told, and the page goes on as if it had none. */
function readLink(payload: string): JoinLink {
  try {
    return decodeJoinLink(`#join=${payload}`)
  } catch (error) {
    dispatch({ type: 'opened', mode: 'landing', at: Date.now() })
    throw error
  }
}

/** The slot this tab had before a reload; a new tab has none. */
function rememberedProfile(): { network: string | null; slot: number | null } {
  try {
    const { network, slot } = JSON.parse(sessionStorage.getItem(PROFILE_KEY) ?? '') as Claim
    if (typeof network === 'string' && Number.isInteger(slot)) return { network, slot }
  } catch {
    // Nothing remembered, or not ours: a new tab.
  }
  return { network: null, slot: null }
}

/** Keeps the page usable after the serving node is gone. Its absence costs only that. */
function registerShell(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return
  navigator.serviceWorker.register('/sw.js').catch((error: unknown) => {
    console.info('This page will not open offline:', error)
  })
}

function workerStopped(why: string): Problem {
  return {
    code: 'node-dead',
    message: `The node of this tab stopped${why === '' || why === undefined ? '' : `: ${why}`}.`,
    hint: 'Reload the tab: identity, history and model are stored and come back.',
  }
}

start()
