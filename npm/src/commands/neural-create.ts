/** `neural create`: a new model file, from layer sizes or from a named architecture. */
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { checkAbsent, writeAtomic } from '../files.js'
import { formatOf, isRead } from '../formats/formats.js'
import { type PresetName, presetSpecification } from '../presets.js'
import { TrainingPool } from '../training/pool.js'
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
  readonly activation?: Activation
  readonly task?: Task
  readonly loss?: Loss
  readonly seed?: bigint
  /** Replace a file that is there, and allow more parameters than take part in runs. */
  readonly force?: boolean
}

/** Makes the model. */
export async function run({ output }: Context, options: CreateOptions): Promise<void> {
  const { architecture, layers, seed = 1n } = options
  const specification = specificationFor(options)
  const format = formatOf(options.output)
  if (!isRead(format)) {
    const hint = "make it as .json or .safetensors, train it, and then 'neural convert' it"
    throw usageError(`a .${format} file cannot be trained: it is not read`, hint)
  }
  if (options.force !== true) checkAbsent(options.output)
  const { inputs, loss } = specification
  const outputs = outputCount(specification)
  const task = options.task ?? taskOf(loss, outputs)
  const pool = new TrainingPool(1)
  try {
    const created = await pool.request('model', 'create', {
      ...{ specification, seed, format },
      force: options.force === true,
    })
    writeAtomic(options.output, created.model)
    const { parameters, weightsCid } = created
    const what = layers?.join('-') ?? `${architecture}, ${shapeText(inputs)} to ${outputs}`
    const { output: model } = options
    output.result(
      { model, architecture, layers, task, parameters, weightsCid, specification },
      (paint) =>
        [
          `wrote ${model}: ${what}, ${parameters} parameters, ${task}`,
          nextStep(model, task, { architecture, outputs }, (text) => paint('cyan', text)),
        ].join('\n'),
    )
  } finally {
    await pool.close()
  }
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
  return specificationOf(layers, options.activation ?? 'relu', loss)
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
