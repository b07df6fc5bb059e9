/** `verify --retrain`: trains the updates of one member again from its rows. */
import type { Context } from '../context.js'
import { SynapticError, usageError } from '../errors.js'
import { readBounded, TABLE_BYTES_MAX } from '../files.js'
import { given } from '../given.js'
import { type Paint, shortId } from '../output.js'
import { Progress } from '../progress.js'
import { naming, using } from '../training/rows.js'
import type { MeshModule, RetrainedUpdate, Retraining, SentUpdates, VerifyReport } from '../wasm.js'
import { columnOf } from './column.js'

/** Rows in the memory of the artifact that trains. */
type Dataset = ReturnType<MeshModule['Dataset']['parse']>

/** Options that say whose updates are trained again, and on which rows. */
export interface RetrainOptions {
  readonly retrain?: boolean
  readonly data?: string
  readonly label?: string
  readonly member?: string
}

/** What training one member's updates again came to. */
export interface Retrained {
  readonly member: string
  /** Rows that were trained on. */
  readonly rows: number
  /** Updates that came out equal to the bit, and those whose base the file does not have. */
  readonly equal: number
  readonly skipped: number
  /** Updates that were not trained on these rows as the run says. */
  readonly differing: readonly RetrainedUpdate[]
}

/** Checks that the options go together, before anything is read. */
export function checkOptions({ retrain, data, label, member }: RetrainOptions): void {
  const given = data !== undefined || label !== undefined || member !== undefined
  if (retrain !== true && given) {
    throw usageError('rows are for training again', 'add --retrain, or leave the rows out')
  }
  if (retrain === true && data === undefined) {
    throw usageError('--retrain needs rows', 'name them: --retrain --data mine.csv')
  }
}

/** Goes through all updates of the member that is named, or whose rows these are. */
export async function retrain(
  context: Context,
  mesh: MeshModule,
  retraining: Retraining,
  options: RetrainOptions,
): Promise<Retrained> {
  return using(rowsOf(mesh, retraining.report(), options), async (rows) => {
    const members = retraining.members()
    const member =
      options.member === undefined
        ? whoseRows(retraining, members, rows)
        : named(members, options.member)
    retraining.begin(member.author)
    const { output, signal } = context
    const what = `training updates of ${shortId(member.author)} again`
    const progress = new Progress(output.stderr, what, member.updates, output.talkative)
    const checked: RetrainedUpdate[] = []
    for (;;) {
      const update = retraining.next(rows)
      if (update === null) break
      checked.push(update)
      progress.update(checked.length, `round ${update.round}`)
      // A signal is heard between two updates.
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    }
    progress.end()
    const count = (verdict: string): number =>
      checked.filter((update) => update.verdict === verdict).length
    return {
      member: member.author,
      rows: rows.rows,
      equal: count('equal'),
      skipped: count('no-base'),
      differing: checked.filter(({ verdict }) => verdict === 'differs' || verdict === 'rows'),
    }
  })
}

/** What is wrong with the updates of a member; nothing where all of them came out equal. */
export function differences({ member, rows, equal, differing }: Retrained): SynapticError | null {
  const [first] = differing
  if (first === undefined && equal > 0) return null
  const who = shortId(member)
  if (first === undefined) {
    return new SynapticError(
      'retraining-nothing',
      `no update of ${who} could be trained again: the file lacks the weights they began with`,
      'export the run again, later or from another member',
    )
  }
  const all = equal + differing.length
  const hint =
    first.verdict === 'rows'
      ? `the update of round ${first.round} says ${first.rowsSaid} rows, and there are ${rows}`
      : 'either these are not all of its rows as they were, or it did not train as the run says'
  return new SynapticError(
    'retraining-differs',
    `${differing.length} of ${all} updates of ${who} do not come from these rows, from round ${first.round} on`,
    hint,
  )
}

/** Lines for people. */
export function retrainedLines(
  { member, rows, equal, skipped }: Retrained,
  paint: Paint,
): string[] {
  const left = skipped > 0 ? `; ${skipped} began with weights that the file does not have` : ''
  return [
    `${paint('green', 'retrained')}: ${equal} updates of ${shortId(member)} come from these ${rows} rows, bit for bit${left}`,
  ]
}

/** Rows as this run takes them: its classes, its scaling. */
function rowsOf(
  mesh: MeshModule,
  { classes, scaling }: VerifyReport,
  { data = '', label }: RetrainOptions,
): Dataset {
  const task = classes.length > 0 ? ('classification' as const) : ('regression' as const)
  const parse = given({
    label: label === undefined ? undefined : columnOf(label),
    task,
    classes: task === 'regression' ? undefined : classes,
  })
  const bytes = readBounded(data, TABLE_BYTES_MAX)
  const raw = naming({ file: data }, () => mesh.Dataset.parse(bytes, parse))
  try {
    return scaling === null ? raw : naming({ file: data }, () => raw.standardise(scaling))
  } finally {
    if (scaling !== null) raw.free()
  }
}

function named(members: readonly SentUpdates[], id: string): SentUpdates {
  const found = members.filter(({ author }) => author.startsWith(id.toLowerCase()))
  const [member] = found
  if (member !== undefined && found.length === 1) return member
  const names = members.map(({ author }) => shortId(author)).join(', ')
  throw new SynapticError(
    'retrain-member',
    found.length > 1 ? `"${id}" begins several ids` : `no member "${id}" sent updates to this run`,
    `those that did: ${names}`,
  )
}

/** The member whose first update comes from these rows: seeds differ, so that it is one. */
function whoseRows(
  retraining: Retraining,
  members: readonly SentUpdates[],
  rows: Dataset,
): SentUpdates {
  for (const member of members) {
    retraining.begin(member.author)
    let first = retraining.next(rows)
    while (first?.verdict === 'no-base') first = retraining.next(rows)
    if (first?.verdict === 'equal') return member
  }
  const names = members.map(({ author }) => shortId(author)).join(', ')
  throw new SynapticError(
    'retraining-differs',
    'no member began with an update that comes from these rows',
    `name the member to see which of its updates differ: --member with one of ${names}`,
  )
}
