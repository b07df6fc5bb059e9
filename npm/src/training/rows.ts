/**
 * Rows and models as a training worker gets at them: read, named in errors, scaled, and given back
 * to the core's memory when they are done with.
 */
import { SynapticError, toSynapticError } from '../errors.js'
import { formatOfBytes, namedFormat, readModel } from '../formats/formats.js'
import { given } from '../given.js'
import { type AnyNetwork, type Engines, endsOf } from '../neural/engines.js'
import { FannModel } from '../neural/fann/model.js'
import type { Dataset, NeuralModule, ParseOptions, Scaling, Task } from '../wasm.js'
import type { ScalingChoice, Score, Source, TrainingProgress } from './protocol.js'
import { outputOf } from './specification.js'

/** What the worker that does the work gives it. */
export interface Work extends Engines {
  /** The content of a file of rows, bounded; throws where there are no files. */
  read(file: string): Uint8Array
  /**
   * Tells how far the work is, and lets a cancellation through.
   *
   * @throws SynapticError `cancelled`
   */
  report(progress: TrainingProgress): Promise<void>
}

/** The task that rows for a model have; undefined where their labels tell. */
export function taskOfModel(network: AnyNetwork): Task | undefined {
  if (network.task !== undefined) return network.task
  // A model that predicts numbers takes whole numbers as such, not as names of classes.
  return endsOf(network).ofClasses ? undefined : 'regression'
}

/**
 * How rows for a model are read: as it was trained, or, if it was not, with a column of text as
 * categories.
 */
export function parseFor(network: AnyNetwork, parse: ParseOptions): ParseOptions {
  const { classes, columns, task } = network
  const known = task === undefined ? { encode: true } : columns.length === 0 ? {} : { columns }
  const names = classes.length > 0 ? { classes } : {}
  return { ...given({ task: taskOfModel(network) }), ...given(parse), ...known, ...names }
}

/**
 * Whether targets of the model are scaled to a variance of 1, so that its loss is in units of it.
 *
 * As the core does it for a regression: outputs that cannot be every number take them as they are.
 */
export function scalesTargets(network: AnyNetwork): boolean {
  if (network instanceof FannModel) {
    return network.task === 'regression' && network.description.target !== undefined
  }
  const { specification, task } = network
  const { activation } = outputOf(specification)
  return task === 'regression' && (activation === 'linear' || activation === 'leaky-relu')
}

/** Runs `work` and frees the object afterwards. */
export async function using<T extends { free(): void }, R>(
  object: T,
  work: (object: T) => R | Promise<R>,
): Promise<R> {
  try {
    return await work(object)
  } finally {
    object.free()
  }
}

/**
 * The network of a model file, in the form of its extension, or that its beginning tells; an error
 * about it names it.
 */
export async function openModel(
  engines: Engines,
  model: Uint8Array,
  file: string,
): Promise<AnyNetwork> {
  try {
    return await readModel(engines, model, namedFormat(file) ?? formatOfBytes(model))
  } catch (thrown) {
    throw inFile(thrown, file)
  }
}

/** The bytes of a source. */
export function bytesOf(source: Source, work: Work): Uint8Array {
  return 'bytes' in source ? source.bytes : work.read(source.file)
}

/** Reads labelled rows; an error about them names the file. */
export function parseRows(
  neural: NeuralModule,
  source: Source,
  parse: ParseOptions,
  work: Work,
): Dataset {
  const bytes = bytesOf(source, work)
  return naming(source, () => neural.Dataset.parse(bytes, given(parse)))
}

/**
 * Reads rows for a model that is there: a gap cannot be filled any more where the training found
 * nothing to fill it with.
 */
export function forModel<T>({ task }: AnyNetwork, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    const { code, message, hint } = toSynapticError(thrown)
    if (task === undefined || !hint.includes('--missing')) throw thrown
    const advice = 'put a value there, or remove the row; a model fills gaps if it is trained anew'
    throw new SynapticError(code, message, `${advice} with neural train --missing mean`)
  }
}

/** Does what reads a source; an error about its content names the file. */
export function naming<T>(source: Source, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    throw 'file' in source ? inFile(thrown, source.file) : thrown
  }
}

/** Names the file in an error about its content. */
function inFile(thrown: unknown, file: string): unknown {
  if (typeof thrown !== 'object' || thrown === null) return thrown
  const { code, message, hint } = thrown as Record<string, unknown>
  if (typeof code !== 'string' || typeof message !== 'string') return thrown
  return new SynapticError(code, `${file}: ${message}`, typeof hint === 'string' ? hint : '')
}

/** The scaling that the user's choice means for these rows. */
export function scalingOf(data: Dataset, choice: ScalingChoice): Scaling {
  if (choice.kind === 'unit') return data.scaling('range')
  if (choice.kind !== 'range') return data.scaling(choice.kind)
  const { min, max } = choice
  const inputs = inputsOf(data)
  return {
    // A category is 0 or 1 whatever range the numbers have.
    offset: inputs.map((isNumber) => (isNumber ? min : 0)),
    scale: inputs.map((isNumber) => (isNumber ? 1 / (max - min) : 1)),
  }
}

/** Whether each input is a number, and not a category. */
function inputsOf({ columns, features }: Dataset): boolean[] {
  if (columns.length === 0) return new Array<boolean>(features).fill(true)
  return columns.flatMap(({ categories }) => categories?.map(() => false) ?? [true])
}

/** How well a network does on rows. */
export function scoreOf(network: AnyNetwork, data: Dataset): Score {
  const { loss, accuracy } = network.evaluate(data)
  return { loss, accuracy }
}
