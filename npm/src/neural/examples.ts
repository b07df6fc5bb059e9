/**
 * Examples as programs have them, numbers in arrays, made into the core's data sets.
 */
import { SynapticError } from '../errors.js'
import { countOf } from '../training/shapes.js'
import { isOfProbabilities, outputOf } from '../training/specification.js'
import type { Dataset, Network, NeuralModule, Scaling } from '../wasm.js'
import type { FannModel, FannRows } from './fann/model.js'

/** Rows of numbers: one after the other in one array, or each in an array of its own. */
export type Rows = Float32Array | readonly ArrayLike<number>[]

/**
 * What to learn: inputs, and what the outputs should be. Several outputs are classes: one of them
 * is 1 and the others are 0.
 */
export interface Examples {
  readonly inputs: Rows
  readonly targets: Rows
}

/**
 * Examples as a network of FANN takes them: any number of targets per row, of any size.
 *
 * @throws SynapticError `rows-invalid`
 */
export function fannRowsOf(network: FannModel, examples: Examples): FannRows {
  const inputs = flatRows(examples.inputs, network.inputs, 'inputs')
  const targets = flatRows(examples.targets, network.outputs, 'targets')
  const rows = [inputs.length / network.inputs, targets.length / network.outputs]
  if (rows[0] === rows[1] && rows[0] !== 0) return network.rowsOfNumbers(inputs, targets)
  throw badRows(`there are ${rows[0]} rows of inputs and ${rows[1]} of targets`)
}

/** The numbers of rows one after the other, checked to be whole rows of finite numbers. */
export function flatRows(rows: Rows, width: number, what: string): Float32Array {
  const flat = rows instanceof Float32Array ? rows : joined(rows, width, what)
  if (flat.length % width !== 0) {
    throw badRows(`${flat.length} ${what} are not whole rows of ${width}`)
  }
  const bad = flat.findIndex((number) => !Number.isFinite(number))
  if (bad < 0) return flat
  throw badRows(`${what}: row ${Math.floor(bad / width) + 1} has a number that is not finite`)
}

function joined(rows: readonly ArrayLike<number>[], width: number, what: string): Float32Array {
  const flat = new Float32Array(rows.length * width)
  rows.forEach((row, index) => {
    if (row.length !== width) {
      throw badRows(`${what}: row ${index + 1} has ${row.length} numbers, not ${width}`)
    }
    flat.set(row, index * width)
  })
  return flat
}

/**
 * A data set of examples, scaled as the network's data was. A network that has learned nothing yet
 * takes numbers as they are from now on.
 *
 * @throws SynapticError `rows-invalid`, `targets-invalid`
 */
export function datasetOf(neural: NeuralModule, network: Network, examples: Examples): Dataset {
  const { specification } = network
  const { units } = outputOf(specification)
  const features = countOf(specification.inputs)
  const inputs = flatRows(examples.inputs, features, 'inputs')
  const targets = flatRows(examples.targets, units, 'targets')
  const rows = inputs.length / features
  if (rows !== targets.length / units || rows === 0) {
    throw badRows(`there are ${rows} rows of inputs and ${targets.length / units} of targets`)
  }
  if (isOfProbabilities(specification.loss) && targets.some((one) => one < 0 || one > 1)) {
    throw badTargets(`${specification.loss} takes targets from 0 to 1`)
  }
  const classes = units > 1 ? classesOf(network, units) : undefined
  const labels = classes === undefined ? [...targets] : labelsOf(targets, classes)
  if (network.task === undefined) {
    network.describe({ scaling: unscaled(features), classes: classes ?? [] })
  }
  const task = classes === undefined ? 'regression' : 'classification'
  const options = { task, header: false, label: features, ...(classes && { classes }) } as const
  const data = neural.Dataset.parse(csvOf(inputs, features, labels), options)
  const { scaling } = network
  if (scaling === undefined) return data
  try {
    return data.standardise(scaling)
  } finally {
    data.free()
  }
}

function classesOf(network: Network, units: number): readonly string[] {
  if (network.task === 'regression') throw severalNumbers()
  if (network.classes.length > 0) return network.classes
  return Array.from({ length: units }, (_, index) => String(index))
}

/** The class of each row, by the place of its 1. */
function labelsOf(targets: Float32Array, classes: readonly string[]): string[] {
  const width = classes.length
  return Array.from({ length: targets.length / width }, (_, row) => {
    const target = targets.subarray(row * width, (row + 1) * width)
    const place = target.indexOf(1)
    if (place < 0 || target.some((one, index) => one !== 0 && index !== place)) {
      throw severalNumbers()
    }
    return classes[place] ?? ''
  })
}

/** The form in which the core takes rows; every number comes out with the bits it had. */
function csvOf(inputs: Float32Array, width: number, labels: readonly (string | number)[]) {
  const lines = labels.map((label, row) => {
    const numbers = inputs.subarray(row * width, (row + 1) * width).join(',')
    return `${numbers},${typeof label === 'number' ? label : quoted(label)}`
  })
  return new TextEncoder().encode(`${lines.join('\n')}\n`)
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function unscaled(features: number): Scaling {
  return {
    offset: new Float32Array(features),
    scale: new Float32Array(features).fill(1),
  }
}

function badRows(message: string): SynapticError {
  return new SynapticError('rows-invalid', message, 'give one array per row, or all in one array')
}

function badTargets(message: string): SynapticError {
  return new SynapticError('targets-invalid', message, 'scale them, or choose another loss')
}

function severalNumbers(): SynapticError {
  return new SynapticError(
    'targets-invalid',
    'the targets of several outputs are one 1 per row, and 0 elsewhere',
    'to predict several numbers, use a network with one output for each',
  )
}
