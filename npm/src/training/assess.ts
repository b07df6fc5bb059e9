/** How well a model does on labelled rows, and what it takes for what. */
import { type AnyNetwork, endsOf } from '../neural/engines.js'
import type { Dataset } from '../wasm.js'
import type { Assessment } from './protocol.js'
import { scalesTargets, scoreOf } from './rows.js'

/** Runs a model over rows as they are, and compares. */
export function assess(network: AnyNetwork, data: Dataset): Assessment {
  const { loss, accuracy } = scoreOf(network, data)
  const { rows, task, classes } = data
  const outputs = network.runBatch(data.values(), rows)
  const labels = data.labels()
  const numbers = task !== 'classification'
  return {
    ...{ rows, task, loss, accuracy },
    lossName: endsOf(network).loss,
    targetsScaled: scalesTargets(network),
    meanAbsoluteError: numbers ? meanAbsoluteError(outputs, labels) : null,
    classes: [...classes],
    ignored: data.ignored,
    confusion: numbers ? [] : confusionOf(outputs, labels, classes.length),
  }
}

/** The place of the largest number, the first of equals. */
export function indexOfMax(row: ArrayLike<number>): number {
  let best = 0
  for (let index = 1; index < row.length; index += 1) {
    if ((row[index] ?? 0) > (row[best] ?? 0)) best = index
  }
  return best
}

/** Rows of each class, by what they were taken for. */
function confusionOf(
  outputs: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  for (let row = 0; row < labels.length; row += 1) {
    const answer = indexOfMax(outputs.subarray(row * classes, (row + 1) * classes))
    const ofClass = counts[labels[row] ?? 0]
    if (ofClass !== undefined) ofClass[answer] = (ofClass[answer] ?? 0) + 1
  }
  return counts
}

function meanAbsoluteError(outputs: Float32Array, labels: ArrayLike<number>): number {
  const sum = outputs.reduce((all, output, row) => all + Math.abs(output - (labels[row] ?? 0)), 0)
  return sum / outputs.length
}
