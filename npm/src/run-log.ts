/**
 * The course of a run, round by round: who sent what, what was taken and what was left out and why,
 * who is missing, what it weighs, and how good it is.
 *
 * It is filled from the signed history, or where a node keeps none on a disk (and in a tab) from the
 * node's events, which do not tell bytes. Times are what authors say. Scores are this node's own and
 * not part of the history: those of before a restart are gone. Nothing of Node and nothing of a page
 * is in here.
 */
import type { LeftOut } from '../wasm/mesh.js'

export type { LeftOut } from '../wasm/mesh.js'

/** A run as a node sees it, as far as its course needs it. */
export interface RunAt {
  readonly run: string
  readonly name: string
  readonly state: 'waiting' | 'running' | 'finished'
  readonly round: number
  readonly rounds: number
  readonly members: readonly string[]
  readonly weightsCid: string | null
}

/** Rounds that are kept of a run: the last ones, as many as a chart has columns. */
export const ROUNDS_KEPT_MAX = 512
/** Updates that are kept of a round: four for each of the most members that a run has. */
const UPDATES_MAX = 1_024

/**
 * Why an update is not in its round's result. `late`: it is younger than the result. `left-out`: such
 * as because it had not arrived at who proposed the result, or could not be used. {@link WHY_NOT} says
 * the others; those of {@link LeftOut} are of runs with commitments.
 */
export type WhyNot = 'late' | 'other-weights' | 'replaced' | LeftOut['whyNot']

/** The same for people. */
export const WHY_NOT: Readonly<Record<WhyNot, string>> = {
  late: 'came after the round had closed',
  'other-weights': "trained from weights that are not the round's",
  replaced: 'another one of its member was taken',
  'left-out': 'not taken by who proposed the result',
  doubled: 'its member committed to two',
  uncommitted: 'sent without a commitment',
  mismatched: 'not what its member had committed to',
  'late-commitment': 'committed to after others had revealed',
  unanswered: 'some others did not answer its commitment',
  withheld: 'committed to, and not sent',
}

/** One member's update for a round. */
export interface UpdateView {
  readonly author: string
  readonly samples: number
  /** Of the change of the weights; null where the history is not read. */
  readonly bytes: number | null
  readonly timeMs: number
  /** Whether the result has it; null while there is none. */
  readonly taken: boolean | null
  readonly whyNot: WhyNot | null
}

/** How good the network of a round is. */
export interface ScoreView {
  /** Held-out rows that it was measured on. */
  readonly rows: number
  readonly loss: number
  /** A share of 1; null where numbers are predicted. */
  readonly accuracy: number | null
}

/** The result of a round, as this node recomputed and took it over. */
export interface ResultView {
  /** Id of its vertex. */
  readonly id: string
  /** Who proposed it; null where the history is not read. */
  readonly author: string | null
  readonly timeMs: number
  readonly weightsCid: string
}

/** One round. */
export interface RoundView {
  readonly round: number
  /** Null while the round is open. */
  readonly result: ResultView | null
  /** Results that were proposed, the one taken over included; null where it is not known. */
  readonly proposals: number | null
  readonly updates: readonly UpdateView[]
  /** Members that committed to an update and sent none, in a run with commitments. */
  readonly unrevealed: readonly LeftOut[]
  /** Members that sent none, though they had joined by then and not left. */
  readonly missing: readonly string[]
  /** Bytes of updates, and of the signed vertices that name them and the results; null as above. */
  readonly bytes: { readonly updates: number; readonly vertices: number } | null
  readonly score: ScoreView | null
}

/** What a member has done in the rounds that are kept. */
export interface MemberView {
  readonly id: string
  /** Rows it says it trains on. */
  readonly samples: number | null
  readonly left: boolean
  readonly sent: number
  readonly taken: number
  /** Its share of the samples in all results: what it has contributed, as far as samples tell. */
  readonly share: number
  /** Of its last update; 0 before the first. */
  readonly lastRound: number
}

/** A run with its course. */
export interface TrainingView {
  readonly run: string
  readonly name: string
  readonly state: RunAt['state']
  readonly round: number
  readonly rounds: number
  /** When a round closes; null where the history is not read. */
  readonly closes: ClosesView | null
  readonly members: readonly MemberView[]
  /** Ascending. */
  readonly course: readonly RoundView[]
  /** What this node refused since it was started, by the core's name of the cause. */
  readonly refused: Readonly<Record<string, number>>
}

/** When a round closes: with so many updates, or after the deadline with the least number. */
export interface ClosesView {
  readonly quorum: number
  readonly updatesMin: number
  readonly deadlineMs: number
}

/** An update as the history, or an event, tells it. */
export interface Update {
  /** Id of its vertex; null by an event. */
  readonly id: string | null
  readonly author: string
  readonly round: number
  readonly samples: number
  /** Id of the vertex whose weights it was trained from; null by an event. */
  readonly base: string | null
  readonly bytes: number | null
  readonly vertexBytes: number
  readonly timeMs: number
}

/** A proposed result as the history tells it. */
export interface Aggregate {
  readonly id: string
  readonly author: string
  readonly round: number
  readonly base: string
  /** Ids of the vertices of its updates. */
  readonly updates: readonly string[]
  readonly weightsCid: string
  readonly vertexBytes: number
  readonly timeMs: number
}

/** A result that this node took over, as the event tells it. */
export interface Adopted {
  readonly round: number
  readonly aggregate: string
  readonly contributors: readonly string[]
  /** Whose updates it does not have and why, in a run with commitments. */
  readonly leftOut?: readonly LeftOut[]
  readonly weightsCid: string
  readonly timeMs: number
}

interface Round {
  readonly updates: Update[]
  readonly aggregates: Aggregate[]
  adopted: Adopted | undefined
  score: ScoreView | undefined
}

interface Member {
  samples: number | null
  joinedMs: number
  leftMs: number | null
}

/** What is known of one run. */
export class RunLog {
  readonly #rounds = new Map<number, Round>()
  readonly #members = new Map<string, Member>()
  #closes: ClosesView | null = null
  #roundsMax = Number.POSITIVE_INFINITY

  started(rounds: number, closes: ClosesView): void {
    this.#roundsMax = rounds
    this.#closes = closes
  }

  joined(author: string, samples: number | null, timeMs: number): void {
    this.#members.set(author, { samples, joinedMs: timeMs, leftMs: null })
  }

  left(author: string, timeMs: number): void {
    const member = this.#members.get(author)
    if (member !== undefined) member.leftMs = timeMs
  }

  update(update: Update): void {
    if (!this.#counts(update)) return
    const { updates } = this.#round(update.round)
    if (updates.length < UPDATES_MAX) updates.push(update)
  }

  aggregate(aggregate: Aggregate): void {
    if (!this.#counts(aggregate)) return
    const { aggregates } = this.#round(aggregate.round)
    if (aggregates.length < UPDATES_MAX) aggregates.push(aggregate)
  }

  adopted(adopted: Adopted): void {
    this.#round(adopted.round).adopted = adopted
  }

  scored(round: number, score: ScoreView): void {
    this.#round(round).score = score
  }

  /** The course from a round on. */
  view(run: RunAt, refused: Readonly<Record<string, number>>, from = 1): TrainingView {
    const results = this.#results(run)
    const open = run.state !== 'finished' && run.round < run.rounds ? [run.round + 1] : []
    // Also before its first update: everybody is missing then.
    const kept = [...new Set([...this.#rounds.keys(), ...open])].sort((a, b) => a - b)
    const all = kept.map((round) => this.#viewOf(round, results))
    const { run: id, name, state, round, rounds } = run
    return {
      run: id,
      name,
      state,
      round,
      rounds,
      closes: this.#closes,
      members: this.#memberViews(run, all),
      course: all.filter((one) => one.round >= from),
      refused,
    }
  }

  /** Anybody can write of any round into the history; the run has its rounds, and its members. */
  #counts({ author, round }: { readonly author: string; readonly round: number }): boolean {
    const isMember = this.#closes === null || this.#members.has(author)
    return isMember && round >= 1 && round <= this.#roundsMax
  }

  #round(round: number): Round {
    const known = this.#rounds.get(round)
    if (known !== undefined) return known
    const made = emptyRound()
    this.#rounds.set(round, made)
    if (this.#rounds.size > ROUNDS_KEPT_MAX) {
      this.#rounds.delete(Math.min(...this.#rounds.keys()))
    }
    return made
  }

  /** The aggregates of the chain that leads to the run's weights, by round. */
  #results(run: RunAt): ReadonlyMap<number, Aggregate> {
    const results = new Map<number, Aggregate>()
    const isHead = (one: Aggregate): boolean => one.weightsCid === run.weightsCid
    let next = this.#rounds.get(run.round)?.aggregates.find(isHead)
    while (next !== undefined) {
      const { round, base } = next
      results.set(round, next)
      next = this.#rounds.get(round - 1)?.aggregates.find(({ id }) => id === base)
    }
    return results
  }

  #viewOf(round: number, results: ReadonlyMap<number, Aggregate>): RoundView {
    const known = this.#rounds.get(round) ?? emptyRound()
    const { updates, aggregates, adopted, score } = known
    const aggregate = results.get(round) ?? aggregates.find(({ id }) => id === adopted?.aggregate)
    const result = resultOf(aggregate, adopted)
    const views = updates.map((update) => updateView(update, result, aggregate, adopted))
    const senders = new Set(updates.map(({ author }) => author))
    const untilMs = result?.timeMs ?? Number.POSITIVE_INFINITY
    const isDue = ({ joinedMs, leftMs }: Member): boolean =>
      joinedMs <= untilMs && (leftMs === null || leftMs > untilMs)
    const missing = [...this.#members].filter(([id, one]) => !senders.has(id) && isDue(one))
    const isRead = this.#closes !== null
    return {
      round,
      result,
      proposals: isRead ? aggregates.length : null,
      updates: views,
      unrevealed: unrevealed(updates, aggregate, adopted),
      missing: missing.map(([id]) => id),
      bytes: isRead ? bytesOf(known) : null,
      score: score ?? null,
    }
  }

  #memberViews(run: RunAt, rounds: readonly RoundView[]): MemberView[] {
    const updates = rounds.flatMap(({ round, updates }) =>
      updates.map((one) => ({ round, ...one })),
    )
    const taken = updates.filter((one) => one.taken === true)
    const samples = (list: readonly UpdateView[]): number =>
      list.reduce((sum, one) => sum + one.samples, 0)
    const all = samples(taken)
    const ids = new Set([...run.members, ...this.#members.keys(), ...updates.map((u) => u.author)])
    return [...ids].map((id) => {
      const own = updates.filter(({ author }) => author === id)
      const used = own.filter((one) => one.taken === true)
      const member = this.#members.get(id)
      return {
        id,
        samples: member?.samples ?? own.at(-1)?.samples ?? null,
        left: member === undefined ? !run.members.includes(id) : member.leftMs !== null,
        sent: new Set(own.map(({ round }) => round)).size,
        taken: used.length,
        share: all === 0 ? 0 : samples(used) / all,
        lastRound: Math.max(0, ...own.map(({ round }) => round)),
      }
    })
  }
}

/** Runs whose course is kept; the oldest goes first. As many as a node follows. */
const RUNS_MAX = 64

/** What a node tells of runs; everything else is passed over. */
export type RunEvent =
  | ({ readonly type: 'update'; readonly run: string; readonly round: number } & Pick<
      Update,
      'author' | 'samples'
    >)
  | ({ readonly type: 'round'; readonly run: string } & Omit<Adopted, 'timeMs'>)
  | ({ readonly type: 'evaluated'; readonly run: string; readonly round: number } & ScoreView)

/** The courses of several runs. */
export class RunLogs {
  readonly #logs = new Map<string, RunLog>()

  /** The course of a run; one that is not known begins. */
  of(run: string): RunLog {
    const known = this.#logs.get(run)
    if (known !== undefined) return known
    const made = new RunLog()
    this.#logs.set(run, made)
    const [oldest] = this.#logs.keys()
    if (this.#logs.size > RUNS_MAX && oldest !== undefined) this.#logs.delete(oldest)
    return made
  }

  /** Takes note of what an event says; of updates only where no history says it better. */
  observe(event: RunEvent | { readonly type: string }, hasHistory: boolean): void {
    if (!isOfRuns(event)) return
    const timeMs = Date.now()
    if (event.type === 'evaluated') {
      const { run, round, rows, loss, accuracy } = event
      this.of(run).scored(round, { rows, loss, accuracy })
    } else if (event.type === 'round') {
      const { run, round, aggregate, contributors, leftOut, weightsCid } = event
      const told = { round, aggregate, contributors, weightsCid, timeMs }
      this.of(run).adopted(leftOut === undefined ? told : { ...told, leftOut })
    } else if (!hasHistory) {
      const { run, round, author, samples } = event
      const unknown = { id: null, base: null, bytes: null, vertexBytes: 0 }
      this.of(run).update({ round, author, samples, timeMs, ...unknown })
    }
  }
}

function isOfRuns(event: { readonly type: string }): event is RunEvent {
  return event.type === 'update' || event.type === 'round' || event.type === 'evaluated'
}

/** Counters of the core that are about updates and results. */
const REFUSED = /^(update-|aggregate-|peer-bad-update$)/

/** What a node refused of updates and results, of all that it counts. */
export function refusedOf(counters: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([name]) => REFUSED.test(name)))
}

function emptyRound(): Round {
  return { updates: [], aggregates: [], adopted: undefined, score: undefined }
}

function resultOf(
  aggregate: Aggregate | undefined,
  adopted: Adopted | undefined,
): ResultView | null {
  if (aggregate !== undefined) {
    const { id, author, timeMs, weightsCid } = aggregate
    return { id, author, timeMs, weightsCid }
  }
  if (adopted === undefined) return null
  return {
    id: adopted.aggregate,
    author: null,
    timeMs: adopted.timeMs,
    weightsCid: adopted.weightsCid,
  }
}

function updateView(
  update: Update,
  result: ResultView | null,
  aggregate: Aggregate | undefined,
  adopted: Adopted | undefined,
): UpdateView {
  const { author, samples, bytes, timeMs } = update
  const view = { author, samples, bytes, timeMs }
  if (result === null) return { ...view, taken: null, whyNot: null }
  const taken =
    aggregate !== undefined && update.id !== null
      ? aggregate.updates.includes(update.id)
      : (adopted?.contributors.includes(author) ?? false)
  if (taken) return { ...view, taken, whyNot: null }
  const isOther = aggregate !== undefined && update.base !== null && update.base !== aggregate.base
  if (isOther) return { ...view, taken, whyNot: 'other-weights' }
  if (aggregate !== undefined && adopted?.contributors.includes(author)) {
    return { ...view, taken, whyNot: 'replaced' }
  }
  const told = adopted?.leftOut?.find((one) => one.author === author)
  if (told !== undefined) return { ...view, taken, whyNot: told.whyNot }
  return { ...view, taken, whyNot: timeMs > result.timeMs ? 'late' : 'left-out' }
}

/** Who was left out and sent nothing from the weights that the result follows. */
function unrevealed(
  updates: readonly Update[],
  aggregate: Aggregate | undefined,
  adopted: Adopted | undefined,
): readonly LeftOut[] {
  const base = aggregate?.base
  const own = updates.filter((one) => base === undefined || (one.base ?? base) === base)
  const senders = new Set(own.map(({ author }) => author))
  return (adopted?.leftOut ?? []).filter(({ author }) => !senders.has(author))
}

function bytesOf({ updates, aggregates }: Round): { updates: number; vertices: number } {
  const vertices = [...updates, ...aggregates].reduce((sum, one) => sum + one.vertexBytes, 0)
  return { updates: updates.reduce((sum, one) => sum + (one.bytes ?? 0), 0), vertices }
}
