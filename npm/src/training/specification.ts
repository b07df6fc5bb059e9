/**
 * From what a user types to a network specification: `64,128,10`, an activation and a loss.
 */
import { SynapticError, usageError } from '../errors.js'
import type { Activation, Loss, Specification, Task } from '../wasm.js'
import { outputCount } from './shapes.js'

/** Activations of hidden layers. */
export const ACTIVATIONS: readonly Activation[] = [
  'relu',
  'leaky-relu',
  'elu',
  'softplus',
  'gelu',
  'tanh',
  'sigmoid',
  'linear',
]

/** Losses by their names, except for the quantiles. */
export const LOSSES = ['mse', 'mae', 'huber', 'bce', 'cross-entropy'] as const

/** Whether there is a loss of this name. */
export function isLoss(name: string): name is Loss {
  const quantile = /^quantile-0\.(\d{1,3})$/.exec(name)
  return quantile ? Number(quantile[1]) > 0 : (LOSSES as readonly string[]).includes(name)
}

/** The loss that a task takes unless another is given. */
export function lossOf(task: Task): Loss {
  return task === 'classification' ? 'cross-entropy' : 'mse'
}

/** Whether a loss is of probabilities, so that the network must end in them. */
export function isOfProbabilities(loss: Loss): boolean {
  return loss === 'cross-entropy' || loss === 'bce'
}

/**
 * The activation of the last layer that goes with a loss: the probabilities of classes that exclude
 * each other, or of each output by itself, or any numbers.
 */
export function outputActivation(loss: Loss, outputs: number): Activation {
  if (!isOfProbabilities(loss)) return 'linear'
  return loss === 'cross-entropy' && outputs > 1 ? 'softmax' : 'sigmoid'
}

/** How a network ends: how many numbers it gives, and what is applied to them. */
export function outputOf(specification: Specification): {
  readonly units: number
  readonly activation: Activation
} {
  const last = specification.layers.at(-1)
  const activation = last !== undefined && 'activation' in last ? last.activation : undefined
  return { units: outputCount(specification), activation: activation ?? 'linear' }
}

/**
 * The specification of a dense network.
 *
 * The output follows from the loss: several outputs and cross-entropy make softmax, losses of
 * numbers a linear layer.
 *
 * @param sizes inputs, hidden layers, outputs; at least two numbers
 */
export function specificationOf(
  sizes: readonly number[],
  activation: Activation,
  loss: Loss,
): Specification {
  const [inputs, ...units] = sizes
  if (inputs === undefined || units.length === 0) {
    throw usageError('a network needs inputs and outputs, such as 64,10')
  }
  const output = outputActivation(loss, units.at(-1) ?? 1)
  return {
    inputs,
    layers: units.map((count, index) => ({
      units: count,
      activation: index === units.length - 1 ? output : activation,
    })),
    loss,
  }
}

/** The task that outputs suggest: several are classes, one is a number. */
export function likelyTask(sizes: readonly number[]): Task {
  return (sizes.at(-1) ?? 1) > 1 ? 'classification' : 'regression'
}

/**
 * What a network of this many outputs is for: a loss of numbers predicts them, and so does a single
 * output, whose probability is a number from 0 to 1.
 */
export function taskOf(loss: Loss, outputs: number): Task {
  return isOfProbabilities(loss) && outputs > 1 ? 'classification' : 'regression'
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
