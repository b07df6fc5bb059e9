/**
 * From what a user types to a network specification: `64,128,10` and an activation.
 */
import { SynapticError } from '../errors.js'
import type { Activation, Specification, Task } from '../wasm.js'

/** Activations of hidden layers. */
export const ACTIVATIONS: readonly Activation[] = ['relu', 'tanh', 'sigmoid', 'linear']

/**
 * The specification of a dense network.
 *
 * The output follows from the task: classes end in softmax with cross-entropy, numbers in a
 * linear layer with the mean squared error.
 *
 * @param sizes inputs, hidden layers, outputs; at least two numbers
 */
export function specificationOf(
  sizes: readonly number[],
  activation: Activation,
  task: Task,
): Specification {
  const [inputs, ...units] = sizes
  if (inputs === undefined || units.length === 0) {
    throw new SynapticError('usage', 'a network needs inputs and outputs, such as 64,10')
  }
  const output: Activation = task === 'classification' ? 'softmax' : 'linear'
  return {
    inputs,
    layers: units.map((count, index) => ({
      units: count,
      activation: index === units.length - 1 ? output : activation,
    })),
    loss: task === 'classification' ? 'cross-entropy' : 'mse',
  }
}

/** The task that layer sizes suggest: several outputs are classes, one is a number. */
export function likelyTask(sizes: readonly number[]): Task {
  return (sizes.at(-1) ?? 1) > 1 ? 'classification' : 'regression'
}

/**
 * Checks that layers fit rows, before anything is shared with others.
 *
 * @throws SynapticError `layers-do-not-fit` naming the sizes that would
 */
export function checkFit(
  sizes: readonly number[],
  rows: { readonly features: number; readonly classes: readonly string[] },
): void {
  const first = sizes[0] ?? 0
  const last = sizes.at(-1) ?? 0
  const outputs = rows.classes.length === 0 ? 1 : rows.classes.length
  if (first === rows.features && last === outputs) return
  const fitting = [rows.features, ...sizes.slice(1, -1), outputs].join(',')
  const target = rows.classes.length === 0 ? 'one number to predict' : `${outputs} classes`
  throw new SynapticError(
    'layers-do-not-fit',
    `the rows have ${rows.features} features and ${target}, the layers are ${sizes.join(',')}`,
    `use --layers ${fitting}`,
  )
}
