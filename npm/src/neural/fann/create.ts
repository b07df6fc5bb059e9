/** From what programs and commands say to the plan of a network of FANN. */
import { usageError } from '../../errors.js'
import { unknownOption } from '../arguments.js'
import type { CreateOptions, FannCreateOptions, SeedOption } from '../specification.js'
import { isOfFannOnly, steepOf } from './activations.js'
import type { FannPlan } from './model.js'

/** Whether options are about a network of FANN. */
export function isOfFann(options: CreateOptions): options is FannCreateOptions & SeedOption {
  const fann = options as FannCreateOptions
  const { kind, shortcut, connectionRate, steepness, outputSteepness, weightRange } = fann
  const own = [kind, shortcut, connectionRate, steepness, outputSteepness, weightRange]
  const names = [fann.activation, fann.outputActivation]
  return own.some((one) => one !== undefined) || names.some(isOfFannOnly)
}

/**
 * The plan of a network of FANN.
 *
 * @throws SynapticError `usage`
 */
export function planFor(options: FannCreateOptions): FannPlan {
  const { layers, shortcut = false, connectionRate = 1, weightRange } = options
  if (!Array.isArray(layers) || layers.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw usageError('a network of FANN has layers of one neuron or more', 'such as [2, 3, 1]')
  }
  for (const [name, one] of Object.entries(options)) {
    if (KNOWN.includes(name) || one === undefined) continue
    throw unknownOption(name, KNOWN, 'a network of FANN')
  }
  if (options.kind !== undefined && options.kind !== 'fann') {
    throw usageError(`there is no kind "${options.kind}"`, 'use "fann", or leave it out')
  }
  if (!(connectionRate > 0 && connectionRate <= 1)) {
    throw usageError('a connection rate is above 0 and at most 1', '1 is every connection')
  }
  if (shortcut && connectionRate < 1) {
    throw usageError('a shortcut network has every connection', 'leave the connection rate out')
  }
  if (weightRange !== undefined && !(weightRange > 0 && weightRange <= 100)) {
    throw usageError('a weight range is above 0 and at most 100', '0.1 is usual')
  }
  const { activation = DEFAULT, outputActivation = DEFAULT } = options
  return {
    layers: [...layers],
    shortcut,
    connectionRate,
    hidden: steepOf(activation, options.steepness),
    output: steepOf(outputActivation, options.outputSteepness),
    weightRange,
  }
}

const DEFAULT = 'sigmoid-symmetric'

const KNOWN = [
  ...['kind', 'layers', 'activation', 'outputActivation', 'steepness', 'outputSteepness'],
  ...['connectionRate', 'shortcut', 'weightRange', 'seed'],
]
