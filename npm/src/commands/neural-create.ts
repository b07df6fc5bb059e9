/** `neural create`: a new model file, from layer sizes or from a named architecture. */
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { checkAbsent, writeAtomic } from '../files.js'
import { formatOf, isWhole } from '../formats/formats.js'
import { given } from '../given.js'
import type { FannActivation } from '../neural/fann/activations.js'
import { isOfFann, planFor } from '../neural/fann/create.js'
import type { FannPlan } from '../neural/fann/model.js'
import type { FannCreateOptions } from '../neural/specification.js'
import type { Output } from '../output.js'
import { type PresetName, presetSpecification } from '../presets.js'
import { TrainingPool } from '../training/pool.js'
import type { Answer } from '../training/protocol.js'
import { outputCount, shapeText } from '../training/shapes.js'
import { likelyTask, lossOf, specificationOf, taskOf } from '../training/specification.js'
import type { Activation, Loss, Shape, Specification, Task } from '../wasm.js'

/** Options of `neural create`. */
export interface CreateOptions {
  readonly layers?: readonly number[]
  readonly architecture?: PresetName
  readonly inputs?: number | Shape
  readonly outputs?: number
  readonly output: string
  readonly activation?: Activation | FannActivation
  /** What follows is for networks of FANN. */
  readonly kind?: 'layers' | 'fann'
  readonly outputActivation?: Activation | FannActivation
  readonly steepness?: number
  readonly outputSteepness?: number
  readonly connectionRate?: number
  readonly shortcut?: boolean
  readonly weightRange?: number
  readonly task?: Task
  readonly loss?: Loss
  readonly seed?: bigint
  /** Replace a file that is there, and allow more parameters than take part in runs. */
  readonly force?: boolean
}

/** Makes the model. */
export async function run({ output }: Context, options: CreateOptions): Promise<void> {
  const { layers, seed = 1n } = options
  const plan = fannPlanFor(options)
  const what = plan ? { plan } : { specification: specificationFor(options) }
  const format = formatOf(options.output)
  if (!isWhole(format) || (plan && format !== 'json')) {
    const hint = "make it as .json, train it, and then 'neural convert' it"
    throw usageError(`such a network cannot be trained in a .${format} file`, hint)
  }
  if (options.force !== true) checkAbsent(options.output)
  const pool = new TrainingPool(1)
  try {
    const created = await pool.request('model', 'create', {
      ...{ ...what, seed, format },
      force: options.force === true,
    })
    writeAtomic(options.output, created.model)
    if ('plan' in what) return tellFann(output, options, created)
    const { specification } = what
    const { architecture } = options
    const { inputs, loss } = specification
    const outputs = outputCount(specification)
    const task = options.task ?? taskOf(loss, outputs)
    const { parameters, weightsCid } = created
    const name = layers?.join('-') ?? `${architecture}, ${shapeText(inputs)} to ${outputs}`
    const { output: model } = options
    output.result(
      { model, architecture, layers, task, parameters, weightsCid, specification },
      (paint) =>
        [
          `wrote ${model}: ${name}, ${parameters} parameters, ${task}`,
          nextStep(model, task, { architecture, outputs }, (text) => paint('cyan', text)),
        ].join('\n'),
    )
  } finally {
    await pool.close()
  }
}

/** The plan of a network of FANN, if the options are about one. */
function fannPlanFor(options: CreateOptions): FannPlan | undefined {
  const { kind, layers = [], activation, outputActivation, steepness, outputSteepness } = options
  const { connectionRate, shortcut, weightRange } = options
  const fann = given({
    ...{ kind: kind === 'fann' ? kind : undefined, layers, steepness, outputSteepness },
    ...{ activation, outputActivation, connectionRate, shortcut, weightRange },
  }) as FannCreateOptions
  const own = isOfFann(fann) || outputActivation !== undefined
  if (!own) return undefined
  if (kind === 'layers') throw usageError('networks of layers have no such option', 'leave it out')
  if (options.layers === undefined || options.loss !== undefined || options.task !== undefined) {
    const message = 'a network of FANN is made by --layers, and has neither --loss nor --task'
    throw usageError(message, 'such as --kind fann --layers 2,3,1')
  }
  return planFor(fann)
}

function tellFann(output: Output, options: CreateOptions, created: Answer<'create'>): void {
  const { output: model, layers = [] } = options
  const { fann, parameters, weightsCid } = created
  const text = `wrote ${model}: ${layers.join('-')}, ${fann?.kind} network of FANN`
  output.result({ model, layers, fann, parameters, weightsCid }, (paint) => {
    const next = `synaptic-mesh neural train --model ${model} --data rows.csv`
    return `${text}, ${parameters} connections\nnext: ${paint('cyan', next)}`
  })
}

/** What to do with the model. */
function nextStep(
  model: string,
  task: Task,
  { architecture, outputs }: { architecture: PresetName | undefined; outputs: number },
  paint: (text: string) => string,
): string {
  const command = `synaptic-mesh neural train --model ${model} --data rows.csv`
  if (architecture === 'autoencoder') return `next: ${paint(`${command} --task reconstruction`)}`
  if (task === 'classification' || outputs === 1) return `next: ${paint(command)}`
  return `next: ${paint(`${command} --label a,b`)}, with the ${outputs} columns to predict`
}

function specificationFor(options: CreateOptions): Specification {
  const { architecture, layers, inputs, outputs } = options
  if (architecture !== undefined && layers === undefined) {
    if (options.activation !== undefined) {
      throw usageError('--activation is for --layers: an architecture has its own', 'leave it out')
    }
    const loss = lossFor(options, options.outputs)
    return presetSpecification(architecture, { inputs, outputs, loss })
  }
  if (layers === undefined || architecture !== undefined) {
    const hint = 'such as --layers 64,128,10 or --architecture vision'
    throw usageError('give either --layers or --architecture', hint)
  }
  if (inputs !== undefined || outputs !== undefined) {
    const hint = 'the first size of --layers is the inputs, the last one the outputs'
    throw usageError('--inputs and --outputs are for --architecture', hint)
  }
  const loss = lossFor(options, layers.at(-1)) ?? lossOf(likelyTask(layers))
  return specificationOf(layers, (options.activation ?? 'relu') as Activation, loss)
}

/** The loss that was given, or that goes with the task that was given. */
function lossFor({ loss, task }: CreateOptions, outputs: number | undefined): Loss | undefined {
  if (loss === undefined && task === 'classification' && outputs === 1) {
    throw usageError(
      'one output cannot tell classes apart',
      'give it an output per class, or --loss bce for labels that are 0 and 1',
    )
  }
  return loss ?? (task === undefined ? undefined : lossOf(task))
}
