/**
 * Examples as programs have them, numbers in arrays, made into the core's data sets.
 */
import { SynapticError } from '../errors.js'
import { countOf } from '../training/shapes.js'
import { outputOf } from '../training/specification.js'
import type { Dataset, Network, NeuralModule, Scaling } from '../wasm.js'
import type { FannModel, FannRows } from './fann/model.js'

/** Rows of numbers: one after the other in one array, or each in an array of its own. */
export type Rows = Float32Array | readonly ArrayLike<number>[]

/**
 * What to learn: inputs, and what the outputs should be, a number for each output. After softmax,
 * rows that are 1 at one place and 0 elsewhere are classes.
 */
export interface Examples {
  readonly inputs: Rows
  /** "inputs": to give back the inputs, as an autoencoder does. */
  readonly targets: Rows | 'inputs'
}

/**
 * Examples as a network of FANN takes them: any number of targets per row, of any size.
 *
 * @throws SynapticError `rows-invalid`
 */
export function fannRowsOf(network: FannModel, examples: Examples): FannRows {
  const { inputs, targets } = pairsOf(examples, network.inputs, network.outputs)
  return network.rowsOfNumbers(inputs, targets)
}

/** As many rows of inputs as of targets, each of so many finite numbers. */
function pairsOf(examples: Examples, features: number, outputs: number): FannRows {
  if (typeof examples !== 'object' || examples === null) {
    throw badRows('there are no examples { inputs, targets }')
  }
  const inputs = finiteRows(examples.inputs, features, 'inputs')
  const targets =
    examples.targets === 'inputs' ? inputs : finiteRows(examples.targets, outputs, 'targets')
  const [rows, found] = [inputs.length / features, targets.length / outputs]
  if (rows === found && rows !== 0) return { inputs, targets }
  throw badRows(`there are ${rows} rows of inputs and ${found} of targets`)
}

/** The numbers of rows one after the other, checked to be whole rows; no number is looked at. */
export function flatRows(rows: Rows, width: number, what: string): Float32Array {
  if (!(rows instanceof Float32Array || Array.isArray(rows))) {
    throw badRows(`${what} are neither a Float32Array nor an array of rows`)
  }
  const flat = rows instanceof Float32Array ? rows : joined(rows, width, what)
  if (flat.length % width === 0) return flat
  throw badRows(`${flat.length} ${what} are not whole rows of ${width}`)
}

/** As `flatRows`, of finite numbers only: nothing can be learned from others. */
function finiteRows(rows: Rows, width: number, what: string): Float32Array {
  const flat = flatRows(rows, width, what)
  const bad = flat.findIndex((number) => !Number.isFinite(number))
  if (bad < 0) return flat
  throw badRows(`${what}: row ${Math.floor(bad / width) + 1} has a number that is not finite`)
}

function joined(rows: readonly ArrayLike<number>[], width: number, what: string): Float32Array {
  const flat = new Float32Array(rows.length * width)
  rows.forEach((row, index) => {
    const isRow = typeof row === 'object' && row?.length !== undefined
    if (!isRow || row.length !== width) {
      const found = isRow ? `has ${row.length} numbers` : 'is no array'
      throw badRows(`${what}: row ${index + 1} ${found}; it takes ${width}`)
    }
    try {
      flat.set(row, index * width)
    } catch (thrown) {
      throw badRows(`${what}: row ${index + 1} is not of numbers: ${(thrown as Error).message}`)
    }
  })
  return flat
}

/**
 * A data set of examples, as the network takes it. A network that has learned nothing yet takes
 * numbers as they are from now on.
 *
 * @throws SynapticError `rows-invalid`, `targets-invalid`
 */
export function datasetOf(neural: NeuralModule, network: Network, examples: Examples): Dataset {
  const { specification } = network
  const { units, activation } = outputOf(specification)
  const features = countOf(specification.inputs)
  const { inputs, targets } = pairsOf(examples, features, units)
  const places = activation === 'softmax' ? placesOf(targets, units) : undefined
  const { task = places === undefined ? 'regression' : 'classification' } = network
  if (task === 'classification' && places === undefined) throw notClasses()
  const classes = task === 'classification' ? classesOf(network, units) : []
  if (network.task === undefined) network.describe({ scaling: unscaled(features), classes })
  const data =
    places !== undefined && task === 'classification'
      ? neural.Dataset.fromNumbers(inputs, features, places, 1, classes)
      : neural.Dataset.fromNumbers(inputs, features, targets, units, undefined)
  try {
    return network.prepare(data)
  } finally {
    data.free()
  }
}

function classesOf(network: Network, units: number): readonly string[] {
  if (network.classes.length > 0) return network.classes
  return Array.from({ length: units }, (_, index) => String(index))
}

/** The class of each row by the place of its 1, unless there is a row of something else. */
function placesOf(targets: Float32Array, units: number): Float32Array | undefined {
  const places = new Float32Array(targets.length / units)
  for (let row = 0; row < places.length; row += 1) {
    const target = targets.subarray(row * units, (row + 1) * units)
    const place = target.indexOf(1)
    if (place < 0 || target.some((one, index) => one !== 0 && index !== place)) return undefined
    places[row] = place
  }
  return places
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

function notClasses(): SynapticError {
  return new SynapticError(
    'targets-invalid',
    'this network tells classes apart: its targets are one 1 per row, and 0 elsewhere',
    'give each row its class, or train a new network for other targets',
  )
}
