/**
 * The data of the demo: 1,797 handwritten digits, divided unevenly over the members.
 *
 * A fifth of the rows is the common test. The rest is divided by a Dirichlet distribution per
 * class: with alpha 0.1 a member has seen one or two kinds of digits and hardly any of the others.
 */
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { readBounded, TABLE_BYTES_MAX, writeAtomic } from '../files.js'
import type { Dataset, MeshModule } from '../wasm.js'

/** Share of the rows that nobody trains on. */
const TEST_SHARE = 0.2

/** Kinds of digits, in order. */
export const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']

const DATA = fileURLToPath(new URL('../../data/digits.csv', import.meta.url))

/** Files of the members' rows, the founder's first, and of the common test rows. */
export interface Shares {
  readonly members: readonly { readonly file: string; readonly rows: number }[]
  readonly test: { readonly file: string; readonly rows: number }
}

/** Divides the digits and writes one file per member into a directory. */
export function divide(
  mesh: MeshModule,
  directory: string,
  { members, alpha, seed }: { members: number; alpha: number; seed: bigint },
): Shares {
  const all = mesh.Dataset.parse(readBounded(DATA, TABLE_BYTES_MAX), { classes: DIGITS })
  const [train, test] = all.split(TEST_SHARE, seed)
  const shares = train.dirichletSplit(members, alpha, seed)
  const write = (name: string, data: Dataset): { file: string; rows: number } => {
    const file = path.join(directory, name)
    writeAtomic(file, csvOf(data))
    return { file, rows: data.rows }
  }
  try {
    return {
      members: shares.map((share, index) => write(`member-${index}.csv`, share)),
      test: write('test.csv', test),
    }
  } finally {
    for (const data of [all, train, test, ...shares]) data.free()
  }
}

/** Rows as CSV without a header, the label last. */
function csvOf(data: Dataset): string {
  const { rows, features, classes } = data
  const [values, labels] = [data.values(), data.labels()]
  const lines = Array.from({ length: rows }, (_, row) => {
    const inputs = values.subarray(row * features, (row + 1) * features)
    return [...inputs, classes[labels[row] ?? 0]].join(',')
  })
  return `${lines.join('\n')}\n`
}
