/** The activations of FANN by name, and which of them layers have too. */
import { usageError } from '../../errors.js'
import type { Activation } from '../../wasm.js'

/** The names; the place is the number in FANN files. */
export const FANN_ACTIVATIONS = [
  'linear',
  'threshold',
  'threshold-symmetric',
  'sigmoid',
  'sigmoid-stepwise',
  'sigmoid-symmetric',
  'sigmoid-symmetric-stepwise',
  'gaussian',
  'gaussian-symmetric',
  'gaussian-stepwise',
  'elliot',
  'elliot-symmetric',
  'linear-piece',
  'linear-piece-symmetric',
  'sin-symmetric',
  'cos-symmetric',
  'sin',
  'cos',
  'linear-piece-rect',
  'linear-piece-rect-leaky',
] as const

/** A FANN activation by FANN's name. */
export type FannActivation = (typeof FANN_ACTIVATIONS)[number]

/** An activation with its steepness, which its sum is multiplied by. */
export interface Steep {
  readonly activation: FannActivation
  readonly steepness: number
}

/** What computes the same as an activation of layers. */
const COUNTERPARTS: { readonly [A in Activation]?: Steep } = {
  sigmoid: { activation: 'sigmoid', steepness: 0.5 },
  tanh: { activation: 'sigmoid-symmetric', steepness: 1 },
  linear: { activation: 'linear', steepness: 1 },
  relu: { activation: 'linear-piece-rect', steepness: 1 },
  'leaky-relu': { activation: 'linear-piece-rect-leaky', steepness: 1 },
}

/** libfann's default. */
const STEEPNESS = 0.5

/** What in FANN computes the same as an activation of layers, if anything does. */
export function counterpartOf(activation: Activation): Steep | undefined {
  return COUNTERPARTS[activation]
}

/** Of what a FANN activation is the counterpart, and what the weights are multiplied by for it. */
export function layersHave({ activation, steepness }: Steep):
  | {
      readonly activation: Activation
      readonly factor: number
    }
  | undefined {
  const found = Object.entries(COUNTERPARTS).find(([, steep]) => steep.activation === activation)
  if (found === undefined) return undefined
  return { activation: found[0] as Activation, factor: steepness / found[1].steepness }
}

/**
 * An activation by FANN's name or that of layers. Without a steepness a name that layers have means
 * what it means there; the others have libfann's 0.5.
 */
export function steepOf(name: string, steepness?: number): Steep {
  if (steepness !== undefined && !(steepness > 0 && steepness <= 100)) {
    throw usageError(`a steepness is above 0 and at most 100, not ${steepness}`, '0.5 is usual')
  }
  const known = COUNTERPARTS[name as Activation]
  const activation = known?.activation ?? FANN_ACTIVATIONS.find((one) => one === name)
  if (activation === undefined) {
    const names = [...FANN_ACTIVATIONS, 'tanh', 'relu', 'leaky-relu'].join(', ')
    throw usageError(`FANN has no activation "${name}"`, `use ${names}`)
  }
  return { activation, steepness: steepness ?? known?.steepness ?? STEEPNESS }
}

/** Whether only FANN has it. */
export function isOfFannOnly(name: string | undefined): boolean {
  const known = FANN_ACTIVATIONS.some((one) => one === name)
  return known && COUNTERPARTS[name as Activation] === undefined
}

/** The number in FANN files. */
export function numberOf(activation: FannActivation): number {
  return FANN_ACTIVATIONS.indexOf(activation)
}

/** Whether its values lie from -1 to 1, so that targets do. */
export function isSymmetric(activation: FannActivation): boolean {
  return activation.includes('-symmetric')
}

/** Whether it takes every value. */
export function isUnbounded(activation: FannActivation): boolean {
  return activation === 'linear' || activation.startsWith('linear-piece-rect')
}
