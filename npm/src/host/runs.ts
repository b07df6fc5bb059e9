/**
 * This node's part in runs: whose rows, trained where, and how good the result is.
 *
 * The core decides what is trained and when; this module has the rows read in a training thread,
 * hands the core's jobs to it, and scores every new round on the held-out rows. Where the rows
 * came from a file, its path is remembered, so that a node that was ended takes part again.
 */
import { type Attack, sentDelta, taughtClasses } from '../attack.js'
import { SynapticError, toSynapticError, usageError } from '../errors.js'
import { given } from '../given.js'
import { noSuchRun, pickRun, requireFreeName } from '../run-name.js'
import type { RowsInfo, ScalingChoice, Score, Source } from '../training/protocol.js'
import { checkFit, lossOf, specificationOf } from '../training/specification.js'
import type { WorkerPool } from '../training/workers.js'
import type {
  Activation,
  Aggregation,
  Compression,
  Masking,
  MeshNode,
  ParseOptions,
  Privacy,
  Reference,
  RunView,
  Scaling,
  Task,
  TrainEvent,
} from '../wasm.js'

/** How long a run may take to arrive after its name was given, in milliseconds. */
const RUN_WAIT_MS = 10_000
/** How often the list of runs is read while waiting. */
const RUN_POLL_MS = 100

/** Rows of this node. */
export interface Rows {
  readonly data: Source
  /** Held-out rows, on which every round is scored. */
  readonly test?: Source | undefined
  readonly label?: string | number | undefined
}

/** What a run is joined with. */
export interface JoinRunOptions extends Rows {
  /** Train on the own rows only first, to have something to compare with. */
  readonly alone: boolean
  /** How this member lies, until the node is started again; if absent, not at all. */
  readonly attack?: Attack | undefined
}

/** What a run is started with. */
export interface StartRunOptions extends JoinRunOptions {
  readonly name: string
  readonly layers: readonly number[]
  readonly activation: Activation
  readonly task: Task | undefined
  readonly classes: readonly string[] | undefined
  readonly scaling: ScalingChoice
  readonly rounds: number
  readonly epochs: number
  readonly batch: number
  readonly learningRate: number
  readonly momentum: number
  readonly serverMomentum: number
  readonly workerMomentum: number
  readonly quorum: number
  readonly updatesMin: number
  readonly deadlineMs: number
  /** How updates become one; if absent, by their mean, weighed by samples. */
  readonly aggregation: Aggregation | undefined
  /** How updates are compressed; if absent, not at all. */
  readonly compression: Compression | undefined
  /** How rows are hidden; if absent, not at all. */
  readonly privacy: Privacy | undefined
  /** How updates are masked; if absent, not at all. */
  readonly masking: Masking | undefined
  /** Whether members commit to their updates before they see others'. */
  readonly commitReveal: boolean
  /** Rows that everybody trusts, in the place of a rule. */
  readonly reference: Source | undefined
  readonly seed: bigint
}

/** This node in a run that it has just started or joined. */
export interface Membership {
  readonly run: RunView
  readonly samples: number
  /** Score of a training on the own rows only, where it was asked for. */
  readonly alone: Score | null
}

/** What the training part of a node tells. */
export type TrainingEvent =
  | {
      readonly type: 'alone'
      readonly name: string
      readonly epoch: number
      readonly epochs: number
    }
  | {
      readonly type: 'trained'
      readonly run: string
      readonly round: number
      readonly samples: number
      readonly loss: number
      readonly accuracy: number | null
    }
  | {
      readonly type: 'evaluated'
      readonly run: string
      readonly name: string
      readonly round: number
      readonly rows: number
      readonly loss: number
      readonly accuracy: number | null
    }
  | {
      readonly type: 'warning'
      readonly code: string
      readonly message: string
      readonly hint: string
    }

/** Where paths of rows are remembered between starts. */
export interface RowsMemory {
  recall(): Readonly<Record<string, Rows>>
  remember(rows: Readonly<Record<string, Rows>>): void
}

interface Member {
  readonly group: string
  readonly name: string
  readonly samples: number
  readonly testRows: number
  readonly attack: Attack | undefined
  /** Scoring under way, and whether the weights have moved on meanwhile. */
  evaluation: Promise<void> | undefined
  evaluateAgain: boolean
}

/** The runs this node trains in. */
export class Runs {
  readonly #node: MeshNode
  readonly #pool: WorkerPool
  readonly #memory: RowsMemory
  readonly #emit: (event: TrainingEvent) => void
  readonly #members = new Map<string, Member>()
  #remembered: Record<string, Rows>
  /** Starting or joining in progress: a job may arrive before its run is known here. */
  #settling: Promise<unknown> = Promise.resolve()
  #groups = 0

  constructor(
    node: MeshNode,
    pool: WorkerPool,
    memory: RowsMemory,
    emit: (event: TrainingEvent) => void,
  ) {
    this.#node = node
    this.#pool = pool
    this.#memory = memory
    this.#emit = emit
    this.#remembered = { ...memory.recall() }
  }

  /** Starts a run with this node as its first member. */
  async start(options: StartRunOptions): Promise<Membership> {
    requireFreeName(await this.#node.runs(), options.name)
    return this.#withRows(options.name, (group) => this.#start(group, options))
  }

  async #start(group: string, options: StartRunOptions): Promise<Membership> {
    const { classes, info } = await this.#inspect(group, options)
    checkFit(options.layers, { features: info.features, classes })
    const specification = specificationOf(options.layers, options.activation, lossOf(info.task))
    const schema = { specification, classes, scaling: info.scaling }
    const member = await this.#load(group, options.name, schema, options)
    const { name, rounds, epochs, batch, learningRate, momentum, seed, alone } = options
    const { quorum, updatesMin, deadlineMs, aggregation, compression, privacy, masking } = options
    // None is left out: the history has one way to say it.
    const serverMomentum = options.serverMomentum > 0 ? options.serverMomentum : undefined
    const workerMomentum = options.workerMomentum > 0 ? options.workerMomentum : undefined
    const commitReveal = options.commitReveal ? true : undefined
    const reference = await this.#trusted(group, schema, options)
    const score = alone ? await this.#trainAlone(member, { ...options, specification }) : null
    const training = { rounds, epochs, batch, learningRate, momentum, seed }
    const rules = { quorum, updatesMin, deadlineMs, samples: member.samples }
    const how = given({
      ...{ aggregation, serverMomentum, workerMomentum, compression, privacy, masking, reference },
      commitReveal,
    })
    return this.#settle(async () => {
      // Preparing may have taken a while, in which another member can have taken the name.
      requireFreeName(await this.#node.runs(), name)
      const run = await this.#node.startRun({ name, ...schema, ...training, ...rules, ...how })
      this.#hold(run, member, options)
      return { run, samples: member.samples, alone: score }
    })
  }

  /** Takes part in a run that the mesh has or will have shortly. */
  async join(nameOrId: string, options: JoinRunOptions): Promise<Membership> {
    return this.#join(await this.find(nameOrId), options)
  }

  /** Stops contributing to a run; one that is not here yet cannot be contributed to. */
  async leave(nameOrId: string): Promise<void> {
    const { run, name, contributing } = await this.find(nameOrId, 0)
    if (!contributing) {
      throw new SynapticError(
        'not-joined',
        `this node does not contribute to ${name}`,
        'see who does: `synaptic-mesh run list`',
      )
    }
    await this.#node.leaveRun(run)
    await this.#release(run)
  }

  /** Takes part again in the runs of before, as far as their rows are still there. */
  async resume(): Promise<void> {
    for (const [run, rows] of Object.entries(this.#remembered)) {
      try {
        const view = (await this.#node.runs()).find((candidate) => candidate.run === run)
        if (view === undefined || view.state === 'finished') {
          this.#forget(run)
        } else {
          await this.#join(view, { ...rows, alone: false })
        }
      } catch (thrown) {
        this.#warn('not taking part again', thrown)
      }
    }
  }

  /** The run with a name or id, waiting a little for one that is still on its way. */
  async find(nameOrId: string, waitMs = RUN_WAIT_MS): Promise<RunView> {
    const deadline = performance.now() + waitMs
    for (;;) {
      const runs = await this.#node.runs()
      const found = pickRun(runs, nameOrId)
      if (found !== undefined) return found
      if (performance.now() >= deadline) throw noSuchRun(nameOrId, runs)
      await new Promise((resolve) => setTimeout(resolve, RUN_POLL_MS))
    }
  }

  /** Does a job of the core and hands back the result. */
  async train(event: TrainEvent): Promise<void> {
    const { job, run, round, specification, baseWeights, epochs, batch, learningRate } = event
    try {
      await this.#settling
      const member = this.#members.get(run)
      if (member === undefined) {
        throw new SynapticError('no-rows', `this node has no rows for run ${run}`)
      }
      const trained = await this.#pool.request(member.group, 'update', {
        id: trainId(member),
        specification,
        baseWeights,
        epochs,
        batch,
        learningRate,
        momentum: event.momentum,
        seed: event.seed,
      })
      const update = { ...trained, delta: sentDelta(member.attack, trained.delta) }
      this.#node.trained(job, update)
      const { samples, loss, accuracy } = update
      this.#emit({ type: 'trained', run, round, samples, loss, accuracy })
    } catch (thrown) {
      const { message } = toSynapticError(thrown)
      try {
        this.#node.trained(job, { error: message })
      } catch {
        // The core has ended meanwhile: nobody waits for the job any more.
        return
      }
      this.#warn(`round ${round} was not trained`, thrown)
    }
  }

  /** Scores the current weights of a run, if there are rows to do it with. */
  async evaluate(run: string): Promise<void> {
    const member = this.#members.get(run)
    if (member === undefined || member.testRows === 0) return
    member.evaluateAgain = true
    member.evaluation ??= this.#evaluateAll(run, member)
    await member.evaluation
  }

  /** A finished run needs no rows any more. */
  async finish(run: string): Promise<void> {
    await this.evaluate(run)
    try {
      await this.#release(run)
    } catch (thrown) {
      this.#warn('the rows of a finished run are still held', thrown)
    }
  }

  async #evaluateAll(run: string, member: Member): Promise<void> {
    try {
      while (member.evaluateAgain) {
        member.evaluateAgain = false
        const { round, weights, specification } = await this.#node.runModel(run)
        const score = await this.#pool.request(member.group, 'evaluate', {
          id: testId(member),
          specification,
          weights,
        })
        const { name, testRows: rows } = member
        this.#emit({ type: 'evaluated', run, name, round, rows, ...score })
      }
    } catch (thrown) {
      this.#warn('a round was not scored', thrown)
    }
    member.evaluation = undefined
  }

  #settle<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#settling.then(work)
    this.#settling = result.catch(() => undefined)
    return result
  }

  async #join(run: RunView, options: JoinRunOptions): Promise<Membership> {
    this.#refuse(run)
    return this.#withRows(run.name, async (group) => {
      const member = await this.#load(group, run.name, run, options)
      const seed = BigInt(this.#groups)
      const alone = options.alone ? await this.#trainAlone(member, { ...run, seed }) : null
      return this.#settle(async () => {
        // Preparing may have taken a while, in which the run may have come to its end.
        this.#refuse(await this.find(run.run, 0))
        const joined = await this.#node.joinRun(run.run, { samples: member.samples })
        this.#hold(joined, member, options)
        return { run: joined, samples: member.samples, alone }
      })
    })
  }

  /** Gives the work a group for its rows, which are forgotten if it fails. */
  async #withRows<T>(name: string, work: (group: string) => Promise<T>): Promise<T> {
    const group = this.#newGroup(name)
    try {
      return await work(group)
    } catch (thrown) {
      // A training thread that has ended has forgotten them by itself.
      await this.#pool.forget(group).catch(() => undefined)
      throw thrown
    }
  }

  #refuse({ run, name, state }: RunView): void {
    if (state === 'finished') {
      throw new SynapticError(
        'run-finished',
        `run ${name} has finished: it takes no more rows`,
        `get its history with \`synaptic-mesh run export ${name}\`, or start another run`,
      )
    }
    if (!this.#members.has(run)) return
    throw new SynapticError(
      'already-joined',
      `this node already contributes to ${name}`,
      `to change the rows, run \`synaptic-mesh run leave ${name}\` first`,
    )
  }

  /** What the rows are, and all classes that occur in any of them. */
  async #inspect(
    group: string,
    options: StartRunOptions,
  ): Promise<{ classes: string[]; info: RowsInfo }> {
    const { label, task, scaling } = options
    const inspect = (source: Source, classes: readonly string[] | undefined): Promise<RowsInfo> =>
      this.#pool.request(group, 'inspect', {
        source,
        parse: given({ label, task, classes }),
        scaling,
      })
    if (options.classes !== undefined) {
      return { classes: [...options.classes], info: await inspect(options.data, options.classes) }
    }
    const test = options.test === undefined ? undefined : await inspect(options.test, undefined)
    // A member may have rows of one class only; then the held-out rows say which others exist.
    const own = await inspect(options.data, undefined).catch((thrown: unknown) => {
      if (test === undefined) throw thrown
      return inspect(options.data, test.classes)
    })
    const classes = mergeClasses(own.classes, test?.classes ?? [])
    return { classes, info: own }
  }

  /** Rows of one membership live together in one training thread. */
  #newGroup(name: string): string {
    this.#groups += 1
    return `${name}/${this.#groups}`
  }

  async #load(
    group: string,
    name: string,
    schema: Schema,
    rows: Rows & Pick<JoinRunOptions, 'attack'>,
  ): Promise<Member> {
    const { attack } = rows
    if (attack === 'label-flip' && schema.classes.length === 0) {
      throw usageError('there are no labels to flip: the run is of numbers', 'use another attack')
    }
    const honest = parseOf(schema, rows.label)
    const taught = parseOf(
      { ...schema, classes: taughtClasses(attack, schema.classes) },
      rows.label,
    )
    const load = async (id: string, source: Source, parse = honest): Promise<number> => {
      await this.#checkColumns(group, schema, source, parse)
      const argument = { id, source, parse, scaling: schema.scaling }
      return (await this.#pool.request(group, 'load', argument)).rows
    }
    const samples = await load(`${group}/train`, rows.data, taught)
    const testRows = rows.test === undefined ? 0 : await load(`${group}/test`, rows.test)
    const scoring = { evaluation: undefined, evaluateAgain: false }
    return { group, name, samples, testRows, attack, ...scoring }
  }

  /** The trusted rows of a new run, as its first vertex has them. */
  async #trusted(
    group: string,
    schema: Schema,
    { reference, label }: Pick<StartRunOptions, 'reference' | 'label'>,
  ): Promise<Reference | undefined> {
    if (reference === undefined) return undefined
    const parse = parseOf(schema, label)
    await this.#checkColumns(group, schema, reference, parse)
    const argument = { source: reference, parse, scaling: schema.scaling }
    return this.#pool.request(group, 'trusted', argument)
  }

  async #checkColumns(
    group: string,
    { specification }: Schema,
    source: Source,
    parse: ParseOptions,
  ): Promise<void> {
    const scaling = { kind: 'none' } as const
    const info = await this.#pool.request(group, 'inspect', { source, parse, scaling })
    if (info.features === specification.inputs) return
    throw new SynapticError(
      'rows-do-not-fit',
      `the rows have ${info.features} features, the run takes ${specification.inputs}`,
      'all members of a run need the same columns',
    )
  }

  /** As many epochs as the whole run has, on the own rows only. */
  async #trainAlone(
    member: Member,
    { specification, seed, rounds, epochs, batch, learningRate, momentum }: AloneSettings,
  ): Promise<Score> {
    const argument = {
      id: trainId(member),
      testId: member.testRows > 0 ? testId(member) : undefined,
      specification,
      seed,
      epochs: rounds * epochs,
      batch,
      learningRate,
      momentum,
    }
    return this.#pool.request(member.group, 'alone', argument, {
      onProgress: ({ epoch, epochs: all }) =>
        this.#emit({ type: 'alone', name: member.name, epoch, epochs: all }),
    })
  }

  #hold({ run }: RunView, member: Member, { data, test, label }: Rows): void {
    this.#members.set(run, member)
    const files = 'file' in data && (test === undefined || 'file' in test)
    if (!files) return
    this.#remember({ ...this.#remembered, [run]: { data, test, label } })
  }

  #forget(run: string): void {
    if (!(run in this.#remembered)) return
    const { [run]: _, ...others } = this.#remembered
    this.#remember(others)
  }

  /** On a full disk the membership stands all the same; only the next start will not know it. */
  #remember(rows: Record<string, Rows>): void {
    this.#remembered = rows
    try {
      this.#memory.remember(rows)
    } catch (thrown) {
      this.#warn('the next start will not know which rows belong to which run', thrown)
    }
  }

  async #release(run: string): Promise<void> {
    const member = this.#members.get(run)
    this.#members.delete(run)
    this.#forget(run)
    if (member !== undefined) await this.#pool.forget(member.group)
  }

  #warn(what: string, thrown: unknown): void {
    const { code, message, hint } = toSynapticError(thrown)
    this.#emit({ type: 'warning', code, message: `${what}: ${message}`, hint })
  }
}

type Schema = Pick<RunView, 'specification' | 'classes'> & { readonly scaling: Scaling }

type AloneSettings = Pick<
  StartRunOptions,
  'seed' | 'rounds' | 'epochs' | 'batch' | 'learningRate' | 'momentum'
> &
  Pick<RunView, 'specification'>

/** How rows of a run are read: its classes in their order, or numbers. */
function parseOf({ classes }: Schema, label: Rows['label']): ParseOptions {
  if (classes.length === 0) return given({ label, task: 'regression' as const })
  return given({ label, task: 'classification' as const, classes })
}

function trainId(member: Member): string {
  return `${member.group}/train`
}

function testId(member: Member): string {
  return `${member.group}/test`
}

/** All classes of both lists; numbers by size, names by their letters, as the core orders them. */
export function mergeClasses(first: readonly string[], second: readonly string[]): string[] {
  const all = [...new Set([...first, ...second])]
  const numeric = all.every((name) => /^-?\d+$/.test(name))
  return all.sort((a, b) => (numeric ? Number(a) - Number(b) : a < b ? -1 : 1))
}
