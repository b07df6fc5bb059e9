/**
 * The demo: members that may not pool their rows train one network together, the founder's
 * process is killed in the middle, and the result is recomputed from the signed history, in which
 * one flipped byte is found. Then some of them lie, and a mean is compared with the default rule.
 *
 * Everything is as in real use: the members are separate processes with their own identities,
 * the tab is a browser on the founder's join link, and all of them talk over WebSocket.
 */
import { randomInt } from 'node:crypto'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { Attack } from '../attack.js'
import { initialise } from '../commands/init.js'
import type { Joined } from '../commands/run-start.js'
import { aborted, type Context } from '../context.js'
import { SynapticError } from '../errors.js'
import { writeAtomic } from '../files.js'
import { homeAt } from '../home.js'
import { percent } from '../output.js'
import { Progress } from '../progress.js'
import { TrainingPool } from '../training/pool.js'
import { loadMesh, type MeshModule, type RunView, type VerifyReport } from '../wasm.js'
import { findChromium } from './browser.js'
import { Member, type Ready } from './member.js'
import { DIGITS, divide, type Shares } from './shares.js'
import { TabMember } from './tab.js'

/** Options of the demo. */
export interface DemoOptions {
  readonly members: number
  readonly rounds: number
  readonly alpha: number
  readonly seed: bigint
  readonly tab: boolean
  readonly keep: boolean
  readonly timeoutMs: number
}

/** One line of the table at the end. */
export interface MemberResult {
  readonly nodeId: string
  readonly kind: 'node' | 'tab'
  readonly samples: number
  readonly accuracyAlone: number
}

/** What became of two runs in which the same members lie. */
export interface LiarsResult {
  readonly attack: Attack
  readonly members: number
  readonly liars: number
  readonly rounds: number
  /** With the mean of all updates, and with the rule that is the default. */
  readonly accuracyMean: number
  readonly accuracyRule: number
  readonly rule: string
}

/** What verification says of the history with one byte changed. */
export interface FlipResult {
  /** Which byte, from 0. */
  readonly offset: number
  readonly found: boolean
  /** What does not fit any more. */
  readonly what: string
}

/** What the demo reports. */
export interface DemoResult {
  readonly members: readonly MemberResult[]
  readonly accuracyAloneMean: number
  readonly accuracyTogether: number
  readonly rounds: number
  readonly founderLeftAtRound: number
  readonly log: string
  readonly verified: boolean
  readonly flipped: FlipResult
  /** Null where too few members are left for one of them to lie. */
  readonly liars: LiarsResult | null
}

/** Name of the run. */
const RUN = 'digits'
/** The network: 8 x 8 pixels in, ten digits out. */
const LAYERS = [64, 128, 10]
/** Brightness of a pixel. */
const RANGE = [0, 16]
/** Passes over a member's rows per round. */
const EPOCHS = 5
/** Learning rate and momentum of descent, at which uneven shares still come together. */
const LEARNING_RATE = 0.2
const MOMENTUM = 0.9
/** Rows per step. */
const BATCH = 32
/** The founder's process is killed as soon as any process has this round's aggregate. */
const FOUNDER_LEAVES_AFTER = 5
/** How long a round waits for a member that has gone. */
const DEADLINE_MS = 5_000
/** Time for the end of a process to be noticed after a call to it has failed. */
const FAILURE_SETTLES_MS = 500
/** A round takes less than a second; a stall of this length is a failure. */
const ROUND_TIMEOUT_MS = 60_000
/** What a liar sends in the second act, and among how many members one lies. */
const ATTACK = 'sign-flip'
const MEMBERS_PER_LIAR = 4
/** A Dirichlet split that is as good as even. */
const EVEN = 1_000
/** Rounds of the second act, and its descent: that of the tables in docs/learning.md. */
const ROUNDS_WITH_LIARS = 12
const DESCENT_WITH_LIARS = { learningRate: 0.3, momentum: 0 }
/** How often the witness is asked whether the run has finished. */
const LOOK_MS = 250

/** Runs the demo and cleans up after it, whatever happens. */
export async function demo(context: Context, options: DemoOptions): Promise<DemoResult> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'synaptic-mesh-demo-'))
  const stage = new Stage(context, options, root)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const seconds = options.timeoutMs / 1_000
    const error = new SynapticError(
      'timeout',
      `the demo was not over after ${seconds} seconds (${stage.where})`,
      'try again on an idle machine, or with --timeout',
    )
    timer = setTimeout(() => reject(error), options.timeoutMs)
  })
  try {
    // A member that ended unasked explains a failed call better than the call itself.
    const play = stage.play().catch(async (thrown: unknown) => {
      await new Promise((resolve) => setTimeout(resolve, FAILURE_SETTLES_MS))
      throw thrown
    })
    return await Promise.race([play, stage.failed, late, aborted(context.signal)])
  } finally {
    clearTimeout(timer)
    await stage.clear()
  }
}

/** The processes on the stage, in the order in which they came. */
class Stage {
  /** What is going on, for the error of a demo that got stuck. */
  where = 'preparing'
  readonly #context: Context
  readonly #options: DemoOptions
  readonly #root: string
  readonly #nodes: { member: Member; ready: Ready | undefined }[] = []
  #tab: TabMember | undefined
  #cleared = false
  /** Rejects when a member ends although nobody asked it to. */
  readonly failed: Promise<never>
  #fail: (reason: unknown) => void = () => undefined

  constructor(context: Context, options: DemoOptions, root: string) {
    this.#context = context
    this.#options = options
    this.#root = root
    this.failed = new Promise((_, reject) => {
      this.#fail = reject
    })
    this.failed.catch(() => undefined)
    process.on('exit', this.#end)
  }

  async play(): Promise<DemoResult> {
    const { rounds } = this.#options
    const mesh = await loadMesh()
    const shares = divide(mesh, this.#root, this.#options)
    const browser = this.#browser()
    await this.#enter(mesh, browser)
    // The rounds begin when almost everybody has joined, which may be before the last has said so.
    const leaving = this.#awaitLeaving()
    const members = await this.#trainAlone(shares)
    const founderLeftAtRound = await this.#trainTogether(leaving)
    const { log, car, report } = await this.#check(mesh)
    const flipped = flip(mesh, car)
    const accuracyTogether = await this.#score(report, shares)
    const liars = await this.#withLiars(mesh)
    const mean = members.reduce((sum, { accuracyAlone }) => sum + accuracyAlone, 0) / members.length
    return {
      members,
      accuracyAloneMean: mean,
      accuracyTogether,
      rounds: report.ok ? report.rounds : rounds,
      founderLeftAtRound,
      log,
      verified: report.ok,
      flipped,
      liars,
    }
  }

  /** Ends every process and removes every directory. */
  async clear(): Promise<void> {
    this.#cleared = true
    await Promise.all([...this.#nodes.map(({ member }) => member.stop()), this.#tab?.close()])
    process.off('exit', this.#end)
    if (this.#options.keep) this.#say(`kept: ${this.#root}`)
    else this.#removeDirectories()
  }

  /** What is left of {@link Stage.clear} where this process ends before it could be done. */
  readonly #end = (): void => {
    for (const { member } of this.#nodes) void member.kill()
    this.#tab?.end()
    if (!this.#options.keep) this.#removeDirectories()
  }

  /** Everything goes but the history of the run, which somebody may want to verify. */
  #removeDirectories(): void {
    for (const name of fs.readdirSync(this.#root)) {
      if (name !== 'digits.car') fs.rmSync(path.join(this.#root, name), { recursive: true })
    }
    if (fs.readdirSync(this.#root).length === 0) fs.rmdirSync(this.#root)
  }

  #browser(): string | undefined {
    if (!this.#options.tab) return undefined
    const browser = findChromium(this.#context.around.env)
    if (browser === undefined) {
      this.#context.output.warn(
        'no Chromium on this machine: another process takes the place of the tab',
        'install chromium, or name one in SYNAPTIC_CHROMIUM',
      )
    }
    return browser
  }

  /** The founder first, then everybody else by its join link. */
  async #enter(mesh: MeshModule, browser: string | undefined): Promise<void> {
    const { members } = this.#options
    const processes = browser === undefined ? members : members - 1
    this.#at(`starting ${processes} processes${browser === undefined ? '' : ' and a browser tab'}`)
    const founder = await this.#node(mesh, 0, undefined)
    const others = Array.from({ length: processes - 1 }, (_, index) =>
      this.#node(mesh, index + 1, founder.join),
    )
    this.#stillOn()
    if (browser !== undefined) this.#tab = new TabMember(browser)
    await Promise.all([...others, this.#tab?.open(founder.join)])
  }

  async #node(mesh: MeshModule, index: number, join: string | undefined): Promise<Ready> {
    const directory = path.join(this.#root, `node-${index}`)
    initialise(mesh, homeAt(directory, 'flag'), this.#context, join === undefined ? {} : { join })
    this.#stillOn()
    const member = Member.launch(directory, index === 0 ? 'the founder' : `member ${index}`, join)
    member.failed.catch(this.#fail)
    const place = this.#nodes.push({ member, ready: undefined }) - 1
    const ready = await member.ready()
    this.#nodes[place] = { member, ready }
    return ready
  }

  /** Nothing may be started once the stage is being cleared. */
  #stillOn(): void {
    if (this.#cleared) throw new SynapticError('interrupted', 'the demo is over')
  }

  /** Everybody trains on its own rows only; then everybody is in the run. */
  async #trainAlone(shares: Shares): Promise<MemberResult[]> {
    this.#at('everybody trains alone')
    const [founder, ...others] = this.#nodes
    if (founder === undefined) throw new SynapticError('internal', 'there is no founder')
    const test = shares.test.file
    const rows = shares.members.map(({ file }) => ({ data: file, test, alone: true }))
    const first = await founder.member.client.call<Joined>(
      'run.start',
      { ...rows[0], ...this.#run() },
      0,
    )
    const joining = others.map(({ member, ready }, index) =>
      member.client
        .call<Joined>('run.join', { run: RUN, ...rows[index + 1] }, 0)
        .then((joined) => resultOf(ready, joined)),
    )
    const last = shares.members.at(-1)
    const tab =
      this.#tab === undefined || last === undefined
        ? []
        : [this.#tab.join(RUN, last.file, test).then((told) => ({ ...told, samples: last.rows }))]
    return [resultOf(founder.ready, first), ...(await Promise.all([...joining, ...tab]))]
  }

  #run(): object {
    const { members, rounds } = this.#options
    return {
      ...this.#training(RUN, members, rounds),
      // Shares differ so much that every rule drops what only one member knows; nobody lies here.
      rule: 'mean',
    }
  }

  #training(name: string, members: number, rounds: number): object {
    return {
      name,
      layers: LAYERS,
      range: RANGE,
      classes: DIGITS,
      rounds,
      epochs: EPOCHS,
      batch: BATCH,
      learningRate: LEARNING_RATE,
      momentum: MOMENTUM,
      quorum: members,
      // Nobody starts before almost everybody is there, and one may leave for good.
      updatesMin: Math.max(2, members - 1),
      deadlineMs: DEADLINE_MS,
      seed: this.#options.seed.toString(),
    }
  }

  /** Kills the founder's process on the way, and gives the round after which it was. */
  async #awaitLeaving(): Promise<number> {
    const [founder] = this.#nodes
    if (founder === undefined) throw new SynapticError('internal', 'there is no founder')
    const members = this.#nodes.map(({ member }) => member)
    const round = await new Promise<number>((resolve) => {
      const unlisten = members.map((member) =>
        member.listen(({ event, data }) => {
          const closed = event === 'round' ? Number(data.round) : 0
          if (closed < FOUNDER_LEAVES_AFTER) return
          for (const end of unlisten) end()
          resolve(closed)
        }),
      )
    })
    await founder.member.kill()
    return round
  }

  /** Watches the rounds until the last, after which the founder has long gone. */
  async #trainTogether(leaving: Promise<number>): Promise<number> {
    this.#at('everybody trains together')
    const { rounds } = this.#options
    const [, witness] = this.#nodes
    if (witness === undefined) throw new SynapticError('internal', 'nobody stayed')
    const { output } = this.#context
    const progress = new Progress(output.stderr, 'round', rounds, output.talkative)
    let [round, accuracy, gone] = [0, '', '']
    const unwatch = witness.member.listen(({ event, data }) => {
      if (event === 'round') round = Number(data.round)
      if (event === 'evaluated') accuracy = `accuracy ${percent(Number(data.accuracy))}`
      progress.update(round, `${accuracy}${gone}`)
    })
    void leaving.then((left) => {
      gone = `, founder gone since round ${left}`
    })
    try {
      await this.#lastRound(witness.member, RUN)
      return await leaving
    } finally {
      unwatch()
      progress.end()
    }
  }

  /** Waits until the run has finished, as long as rounds keep coming. */
  async #lastRound(witness: Member, run: string): Promise<void> {
    let [round, sinceMs] = [-1, performance.now()]
    for (;;) {
      const runs = await witness.client.call<RunView[]>('run.list')
      const view = runs.find(({ name }) => name === run)
      if (view?.state === 'finished') return
      if (view !== undefined && view.round !== round) {
        round = view.round
        sinceMs = performance.now()
        this.where = `round ${round} of ${view.rounds}`
      }
      if (performance.now() - sinceMs > ROUND_TIMEOUT_MS) {
        throw new SynapticError('timeout', `the training stopped in ${this.where}`)
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }

  /** One of those who stayed hands out the history, and everything is recomputed from it. */
  async #check(mesh: MeshModule): Promise<{ log: string; car: Uint8Array; report: VerifyReport }> {
    this.#at('recomputing every round from the exported history')
    const witness = this.#nodes[1]
    if (witness === undefined) throw new SynapticError('internal', 'nobody stayed')
    const car = await witness.member.client.bytes('run.export', { run: RUN })
    const log = path.join(this.#root, 'digits.car')
    writeAtomic(log, car)
    return { log, car, report: mesh.verifyRun(car) }
  }

  /** The processes that are left train once more, on even shares, and some of them lie. */
  async #withLiars(mesh: MeshModule): Promise<LiarsResult | null> {
    const members = this.#nodes.slice(1).map(({ member }) => member)
    const liars = Math.floor(members.length / MEMBERS_PER_LIAR)
    if (liars === 0) return null
    this.#at(`${liars} of ${members.length} members lie: the mean, and the default rule`)
    const place = path.join(this.#root, 'even')
    fs.mkdirSync(place)
    const { seed } = this.#options
    const shares = divide(mesh, place, { members: members.length, alpha: EVEN, seed })
    const [mean, other] = await Promise.all([
      this.#lied(mesh, members, liars, shares, { name: 'with-mean', rule: 'mean' }),
      this.#lied(mesh, members, liars, shares, { name: 'with-rule', byzantine: liars }),
    ])
    return {
      ...{ attack: ATTACK, members: members.length, liars, rounds: ROUNDS_WITH_LIARS },
      ...{ accuracyMean: mean.accuracy, accuracyRule: other.accuracy, rule: other.rule },
    }
  }

  /** One run, in which the last members lie, scored by the weights that its history gives. */
  async #lied(
    mesh: MeshModule,
    members: readonly Member[],
    liars: number,
    shares: Shares,
    { name, ...rule }: { name: string; rule?: string; byzantine?: number },
  ): Promise<{ accuracy: number; rule: string }> {
    const [witness, ...others] = members
    if (witness === undefined) throw new SynapticError('internal', 'nobody stayed')
    const rows = shares.members.map(({ file }) => ({ data: file }))
    const run = {
      ...this.#training(name, members.length, ROUNDS_WITH_LIARS),
      ...DESCENT_WITH_LIARS,
    }
    const asked = { ...run, ...rows[0], ...rule }
    const { aggregation } = await witness.client.call<Joined>('run.start', asked, 0)
    const honest = members.length - liars
    const joining = others.map((member, index) => {
      const lie = index + 1 < honest ? {} : { attack: ATTACK }
      return member.client.call('run.join', { run: name, ...rows[index + 1], ...lie }, 0)
    })
    await Promise.all(joining)
    await this.#lastRound(witness, name)
    const report = mesh.verifyRun(await witness.client.bytes('run.export', { run: name }))
    const accuracy = await this.#score(report, shares)
    return { accuracy, rule: aggregation?.rule ?? 'mean' }
  }

  /** Scores the recomputed weights, not what any member says about them. */
  async #score(report: VerifyReport, shares: Shares): Promise<number> {
    const { weights, specification, scaling } = report
    if (specification === null || scaling === null) return Number.NaN
    const pool = new TrainingPool(1)
    try {
      const source = { file: shares.test.file }
      const load = { id: 'test', source, parse: { classes: DIGITS }, scaling }
      await pool.request('score', 'load', load)
      const score = await pool.request('score', 'evaluate', { id: 'test', specification, weights })
      return score.accuracy ?? Number.NaN
    } finally {
      await pool.close()
    }
  }

  #at(what: string): void {
    this.where = what
    this.#say(what)
  }

  #say(text: string): void {
    this.#context.output.note(text)
  }
}

/** Changes one bit of a history, anywhere in it, and has it verified. */
function flip(mesh: MeshModule, car: Uint8Array): FlipResult {
  const changed = car.slice()
  const offset = randomInt(changed.length)
  changed[offset] = (changed[offset] ?? 0) ^ (1 << randomInt(8))
  const { ok, firstMismatch } = mesh.verifyRun(changed)
  return { offset, found: !ok, what: firstMismatch?.what ?? '' }
}

function resultOf(ready: Ready | undefined, { samples, alone }: Joined): MemberResult {
  const nodeId = ready?.nodeId ?? ''
  return { nodeId, kind: 'node', samples, accuracyAlone: alone?.accuracy ?? Number.NaN }
}
