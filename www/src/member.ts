/**
 * One member of a mesh, as the node worker runs it: identity, node, training, what is kept.
 *
 * It is the composition and nothing else: the node decides what is true, the training worker
 * computes, the reducer says what follows. Every change leaves as an `Action`; the same actions run
 * through a reducer here, so that what is saved is exactly what is shown.
 */
import type { Attack } from '../../npm/src/attack.ts'
import { encodeJoinLink, type JoinLink } from '../../npm/src/link.ts'
import { RunLogs, refusedOf } from '../../npm/src/run-log.ts'
import type { Host, MeshEvent, MeshNode, RunModel, RunView, TrainEvent } from '../../wasm/mesh.js'
import { Database, type Profile } from './database.ts'
import {
  type Claim,
  claimSlot,
  latest,
  profileId,
  requireSecureContext,
  secretsOf,
} from './identity.ts'
import { Failure, type Problem, toProblem } from './problem.ts'
import { survey } from './rows.ts'
import { browserHost } from './socket.ts'
import {
  type Action,
  connection,
  currentRun,
  curveOf,
  initial,
  reduce,
  type SavedRun,
  type Slot,
  type State,
  trainingFrom,
} from './store.ts'
import { Training } from './training.ts'
import { loadMesh, type MeshModule, requireSimd } from './wasm.ts'

/** How often peers, round-trip times and storage are read again. */
const STATUS_EVERY_MS = 2000

/** What a page knows when it opens: its link, or the slot it had before a reload. */
export interface Opening {
  readonly link: JoinLink | null
  readonly network: string | null
  readonly slot: number | null
}

/** A tab's membership. Made once per worker; ended with the worker. */
export class Member {
  readonly #publish: (action: Action) => void
  readonly #training: Training
  #state: State = initial
  #database: Database<SavedRun> | null = null
  #claim: Claim | null = null
  #node: MeshNode | null = null
  #host: Host = browserHost()
  #kept: RunModel | null = null
  #refreshing = new Set<string>()
  /** Reading a file takes a moment; what uses the rows waits for every file picked before. */
  #picking: Promise<unknown> = Promise.resolve()
  #saidLonely = false
  readonly #logs = new RunLogs()
  #refused: Readonly<Record<string, number>> = {}
  #fitted: string | null = null

  constructor(publish: (action: Action) => void) {
    this.#publish = publish
    this.#training = new Training()
  }

  /** Lets the node use peer connections of the page. Before it is opened. */
  lend(peer: NonNullable<Host['peer']>): void {
    this.#host = { ...this.#host, peer }
  }

  /** Finds out who this tab is and starts the node; null when there is nothing to join. */
  async open(opening: Opening): Promise<Claim | null> {
    requireSecureContext()
    requireSimd()
    // The largest step by far: it goes on while identity and profile are found.
    const mesh = loadMesh()
    // Whoever awaits it hears of a failure; a tab with nothing to join does not care.
    mesh.catch(() => {})
    const database = await Database.open<SavedRun>()
    this.#database = database
    const last = latest(await database.profiles(), opening.network)
    const link = opening.link ?? (last === null ? null : linkOf(last))
    if (link === null) return null
    this.#emit({ type: 'opened', mode: 'tab', at: Date.now() })
    const sameNetwork = opening.network === link.network
    this.#claim = await claimSlot(link.network, sameNetwork ? opening.slot : null)
    await this.#restore(database, this.#claim, link)
    void this.#start(mesh, database, this.#claim, link)
    return this.#claim
  }

  select(run: string): void {
    this.#emit({ type: 'select', run })
    void this.#refresh(run)
  }

  /** Takes a picked file, or drops it. The bytes stay in this tab's workers. */
  pick(slot: Slot, file: File | null): Promise<void> {
    const taken = this.#take(slot, file)
    this.#picking = Promise.allSettled([this.#picking, taken])
    return taken
  }

  async join(run: string): Promise<void> {
    await this.#picking
    const node = this.#running()
    const view = this.#view(run)
    this.#emit({ type: 'joining', run })
    try {
      const samples = await this.#fit(view)
      if (samples === 0) throw noRows()
      await this.#asked(node.joinRun(run, { samples }))
      this.#emit({ type: 'select', run })
      await this.#look()
    } finally {
      this.#emit({ type: 'joining', run: null })
    }
  }

  async leave(run: string): Promise<void> {
    await this.#asked(this.#running().leaveRun(run))
    await this.#look()
  }

  /** What this tab sends from now on: lies, to see what the rule of a run does with them. */
  async lie(attack: Attack | null): Promise<void> {
    await this.#training.lie(attack ?? undefined)
    this.#emit({ type: 'attack', attack })
  }

  /** Trains the run's architecture on this tab's rows only, for as many epochs as a member gets. */
  async trainAlone(run: string): Promise<void> {
    await this.#picking
    const view = this.#view(run)
    const epochs = Math.max(1, view.epochs * view.rounds)
    this.#emit({ type: 'alone', run, alone: { state: 'training', epoch: 0, epochs } })
    try {
      const { accuracy, measured } = await this.#training.alone(view, epochs, (progress) =>
        this.#emit({ type: 'alone', run, alone: { state: 'training', ...progress } }),
      )
      const done = accuracy === null ? null : ({ state: 'done', accuracy, measured } as const)
      this.#emit({ type: 'alone', run, alone: done })
      await this.#save()
    } catch (error) {
      this.#emit({ type: 'alone', run, alone: null })
      throw error
    }
  }

  /** Runs the model this page has on pasted rows. Needs no node and no network. */
  async answer(text: string): Promise<void> {
    if (this.#kept === null) {
      throw new Failure('no-model', 'There is no trained model yet.', 'Wait for the first round.')
    }
    const answers = await this.#training.answer(this.#kept, text)
    this.#emit({ type: 'answers', answers })
  }

  /** Says goodbye to the peers. Best effort: a page that is closing may end before it is done. */
  async close(): Promise<void> {
    const node = this.#node
    this.#node = null
    await node?.stop()
    this.#database?.close()
  }

  async #take(slot: Slot, file: File | null): Promise<void> {
    if (file === null) {
      await this.#training.drop(slot)
      return this.#emit({ type: 'file', slot, file: null })
    }
    const bytes = new Uint8Array(await file.arrayBuffer())
    const looks = survey(bytes)
    await this.#training.hold(slot, bytes)
    this.#emit({
      type: 'file',
      slot,
      file: { name: file.name, bytes: bytes.length, survey: looks },
    })
    const run = currentRun(this.#state)
    if (run !== null) await this.#fit(run)
    for (const code of ['no-rows', 'rows-gone']) this.#emit({ type: 'solved', code })
    if (run !== null) void this.#measure(run.run)
  }

  async #restore(database: Database<SavedRun>, claim: Claim, link: JoinLink): Promise<void> {
    const id = profileId(claim)
    const profile = await database.get('profiles', id)
    const model = await database.get('models', id)
    this.#emit({
      type: 'profile',
      network: link.network,
      meshName: link.meshName ?? null,
      slot: claim.slot,
      nodeId: profile?.nodeId ?? null,
      // Not with the own invite: whoever sees the page could enter with it.
      invite: encodeJoinLink(globalThis.location.origin, { ...link, invite: undefined }),
      saved: model?.saved ?? null,
    })
    if (model === undefined) return
    const { view } = model.saved
    this.#kept = { ...view, round: model.saved.model.round, weights: model.weights }
  }

  async #start(
    loading: Promise<MeshModule>,
    database: Database<SavedRun>,
    claim: Claim,
    link: JoinLink,
  ): Promise<void> {
    try {
      const mesh = await loading
      const { secrets, profile } = await secretsOf(database, mesh, claim, meetingOf(link))
      const node = await mesh.MeshNode.create({
        network: link.network,
        ...(profile.genesis === undefined ? {} : { genesis: profile.genesis }),
        ...(link.invite === undefined ? {} : { invite: link.invite }),
        ...(link.meshName === undefined ? {} : { name: link.meshName }),
        secrets,
        storage: { kind: 'indexeddb', name: `synaptic-mesh/${profileId(claim)}` },
        host: this.#host,
        bootstrap: [...link.addresses],
      })
      secrets.fill(0)
      this.#node = node
      this.#emit({ type: 'node', nodeId: node.nodeId })
      void this.#listen(node)
      await this.#look()
      setInterval(() => void this.#look().catch((error) => this.#fail(error)), STATUS_EVERY_MS)
    } catch (error) {
      // Nothing starts it again but a reload, so it is no better than a dead one.
      this.#die(toProblem(error))
    }
  }

  async #listen(node: MeshNode): Promise<void> {
    try {
      for (;;) {
        const event = await node.nextEvent()
        if (event === null) return
        this.#onEvent(node, event)
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #onEvent(node: MeshNode, event: MeshEvent): void {
    if (event.type === 'train') {
      void this.#train(node, event)
      return
    }
    this.#emit({ type: 'mesh', at: Date.now(), event })
    this.#logs.observe(event, false)
    if (event.type === 'round' || event.type === 'update') this.#tellCourse(event.run, event.round)
    if (event.type === 'round') void this.#refresh(event.run)
    if (event.type === 'run' || event.type === 'peer') {
      void this.#look().catch((error) => this.#fail(error))
    }
  }

  /** Tells the course of a run, as far as this tab has seen it since it was opened. */
  #tellCourse(run: string, changed = Number.POSITIVE_INFINITY): void {
    const view = this.#state.runs.find((one) => one.run === run)
    if (view === undefined) return
    const from = Math.min(changed, trainingFrom(this.#state, run))
    this.#emit({ type: 'training', view: this.#logs.of(run).view(view, this.#refused, from) })
  }

  /** One round's job: never leaves the node waiting, whatever goes wrong. */
  async #train(node: MeshNode, job: TrainEvent): Promise<void> {
    const { run, round } = job
    this.#emit({ type: 'job', run, round, running: true })
    try {
      const result = await this.#training.update(this.#view(run), job)
      node.trained(job.job, result)
      const { accuracy, loss } = result
      this.#emit({ type: 'local', at: Date.now(), run, round, accuracy, loss })
    } catch (error) {
      const problem = toProblem(error)
      this.#say(problem.code === 'no-rows' ? rowsGone(round) : problem)
      this.#settle(() => node.trained(job.job, { error: problem.message }))
    } finally {
      this.#emit({ type: 'job', run, round, running: false })
    }
  }

  /** Reads the node's status; new heads of known runs are fetched and measured. */
  async #look(): Promise<void> {
    if (this.#node === null) return
    const status = await this.#node.status()
    this.#refused = refusedOf(status.counters)
    this.#emit({ type: 'status', at: Date.now(), status })
    if (connection(this.#state) === 'offline') this.#sayLonely()
    const current = currentRun(this.#state)
    if (current !== null) this.#tellCourse(current.run)
    if (current !== null && current.run !== this.#fitted) {
      void this.#fit(current).catch((error) => this.#fail(error))
    }
    for (const { run, round } of status.runs) {
      const known = this.#kept?.run === run ? this.#kept.round : 0
      if (run === currentRun(this.#state)?.run && round > known) void this.#refresh(run)
    }
  }

  /** Takes over the newest weights of `run`. Calls for one run that overlap become one. */
  async #refresh(run: string): Promise<void> {
    const node = this.#node
    if (node === null || this.#refreshing.has(run)) return
    if (currentRun(this.#state)?.run !== run) return
    this.#refreshing.add(run)
    const asked = this.#state.runs.find((view) => view.run === run)?.round ?? 0
    try {
      const model = await this.#modelOf(node, run)
      if (model === null || model.round === 0) return
      this.#kept = model
      this.#emit({ type: 'model', model: this.#describe(model) })
      await this.#measure(run)
      await this.#save()
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#refreshing.delete(run)
    }
    const head = this.#state.runs.find((view) => view.run === run)?.round ?? 0
    if (head > asked) void this.#refresh(run)
  }

  /** The newest weights, or null while they are on their way: the next look asks again. */
  async #modelOf(node: MeshNode, run: string): Promise<RunModel | null> {
    try {
      return await node.runModel(run)
    } catch (error) {
      if (toProblem(error).code === 'node-dead') this.#fail(error)
      return null
    }
  }

  /** Reads the picked files as `run` wants them; one that does not fit is dropped, and said. */
  async #fit(run: RunView): Promise<number> {
    this.#fitted = run.run
    try {
      return await this.#training.prepare(run)
    } catch (error) {
      for (const slot of ['rows', 'test'] as const) {
        const dropped = !this.#training.holds(slot) && this.#state.files[slot] !== null
        if (dropped) this.#emit({ type: 'file', slot, file: null })
      }
      throw error
    }
  }

  #describe({ run, name, round, weights, scaling, classes }: RunModel) {
    const features = scaling.offset.length
    return { run, name, round, features, classes, bytes: weights.length, savedAt: null }
  }

  /** Measures the kept model on the held-out rows, else on the picked ones. */
  async #measure(run: string): Promise<void> {
    const kept = this.#kept
    if (kept === null || kept.run !== run) return
    const score = await this.#training.evaluate(kept)
    if (score === null) return
    const { accuracy, loss, measured } = score
    const { round } = kept
    this.#logs.of(run).scored(round, { rows: measured.rows, loss, accuracy })
    this.#tellCourse(run)
    if (accuracy === null) return
    this.#emit({ type: 'together', at: Date.now(), run, round, accuracy, measured })
  }

  /** Keeps the model and its run for the next reload, with or without a mesh. */
  async #save(): Promise<void> {
    const kept = this.#kept
    const view = this.#state.runs.find(({ run }) => run === kept?.run)
    if (kept === null || view === undefined || this.#claim === null) return
    const model = { ...this.#describe(kept), savedAt: Date.now() }
    const saved = { view, curve: curveOf(this.#state, kept.run), model }
    const id = profileId(this.#claim)
    await this.#database?.put('models', { id, saved, weights: kept.weights })
  }

  #view(run: string): RunView {
    const view = this.#state.runs.find((one) => one.run === run || one.name === run)
    if (view !== undefined) return view
    throw new Failure(
      'no-such-run',
      'This run is not known here yet.',
      'Wait until the tab is connected; runs appear by themselves.',
    )
  }

  #running(): MeshNode {
    if (this.#node !== null) return this.#node
    throw new Failure(
      'node-not-running',
      'The node of this tab is not running yet.',
      'Wait until it has joined; if it does not, reload the tab.',
    )
  }

  async #asked<T>(answer: Promise<T>): Promise<T> {
    return answer.catch((error: unknown) => {
      if (toProblem(error).code === 'node-dead') this.#fail(error)
      throw error
    })
  }

  #settle(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Tells what happened in the background; a dead node is final for this worker. */
  #fail(error: unknown): void {
    const problem = toProblem(error)
    if (problem.code === 'node-dead') this.#die(problem)
    else this.#say(problem)
  }

  #die(problem: Problem): void {
    this.#node = null
    this.#emit({ type: 'dead', problem })
  }

  /** Once, and only if nobody was ever met: losing peers later is the header's business. */
  #sayLonely(): void {
    if (this.#saidLonely || this.#state.metPeer) return
    this.#saidLonely = true
    this.#say({
      code: 'no-peers',
      message: 'Nobody answers at the addresses of this link.',
      hint: 'Start a member with `npx synaptic-mesh start` and use its link; this tab goes on trying.',
    })
  }

  #say(problem: Problem): void {
    this.#emit({ type: 'problem', problem })
  }

  #emit(action: Action): void {
    this.#state = reduce(this.#state, action)
    this.#publish(action)
  }
}

function linkOf(profile: Profile): JoinLink {
  const { network, addresses, meshName, genesis } = profile
  return { network, addresses, meshName: meshName ?? undefined, genesis }
}

function meetingOf({ meshName, addresses, genesis }: JoinLink) {
  return { meshName: meshName ?? null, addresses, genesis }
}

function noRows(): Failure {
  return new Failure(
    'no-rows',
    'This tab has no rows to learn from yet.',
    'Pick a CSV with your rows, then join.',
  )
}

function rowsGone(round: number): Problem {
  return {
    code: 'rows-gone',
    message: `Round ${round} is trained without this tab: a reloaded tab has forgotten its rows.`,
    hint: 'Pick your CSV again and this tab takes part from the next round on.',
  }
}
