/**
 * Networks of FANN in files: FANN's own, and model files with such a file in them.
 *
 * A model file has the fields of one with layers, but `fann`, the text of a FANN file, instead of
 * `specification` and `weights`. FANN's own files carry no class names, but a scaling: a number is
 * brought to `((number - mean) / deviation + 1) * factor + least`, column by column.
 */
import { SynapticError } from '../../errors.js'
import { badVersion, damaged, FORMAT } from '../../formats/errors.js'
import { repeatedKey } from '../../formats/json-keys.js'
import type { Column, Fann, Scaling, Task } from '../../wasm.js'

/** What inputs and outputs mean. */
export interface Description {
  /** Undefined before the first training. */
  readonly task: Task | undefined
  readonly classes: readonly string[]
  readonly scaling: Scaling | undefined
  /** How the targets of a regression are scaled. */
  readonly target: Scaling | undefined
  /** Of the tables it was trained on; none where it was trained on numbers alone. */
  readonly columns: readonly Column[]
}

/** The parts of a model file. */
export interface FannFile extends Description {
  readonly text: string
  readonly weightsCid: string
}

const VERSION = 1
const TASKS: readonly unknown[] = ['classification', 'regression', 'reconstruction', null]
const FIELDS = [
  ...['format', 'version', 'fann', 'task', 'classes', 'scaling', 'targetScaling', 'columns'],
  'weightsCid',
]

/** Whether bytes are FANN's own file, as far as its first word tells. */
export function isFannFile(bytes: Uint8Array): boolean {
  const beginning = new TextDecoder().decode(bytes.subarray(0, 6))
  return beginning === 'FANN_F'
}

/** The model file of a network of FANN. */
export function modelFile(
  file: Uint8Array,
  description: Description,
  weightsCid: string,
): Uint8Array {
  const fann = new TextDecoder().decode(file)
  const model = { format: FORMAT, version: VERSION, fann, ...plainDescription(description) }
  return new TextEncoder().encode(JSON.stringify({ ...model, weightsCid }))
}

/** A description as it is in the JSON of every model. */
export function plainDescription({ task, classes, scaling, target, columns }: Description) {
  return {
    task: task ?? null,
    classes,
    scaling: plain(scaling),
    targetScaling: plain(target),
    ...(columns.length > 0 && { columns }),
  }
}

/**
 * The parts of a model file with a network of FANN in it; undefined if there is none in it.
 *
 * @throws SynapticError `model-version`, `model-damaged`
 */
export function readModelFile(bytes: Uint8Array): FannFile | undefined {
  const text = new TextDecoder().decode(bytes)
  if (!text.includes('"fann"')) return undefined
  let model: Record<string, unknown>
  try {
    model = JSON.parse(text)
  } catch {
    return undefined
  }
  if (model === null || typeof model !== 'object' || typeof model.fann !== 'string')
    return undefined
  if (model.format !== FORMAT) return undefined
  if (model.version !== VERSION) throw badVersion(model.version)
  const { task, classes, columns = [], weightsCid } = model
  const bad = repeatedKey(text) ?? Object.keys(model).find((name) => !FIELDS.includes(name))
  if (bad !== undefined) throw unusable(bad)
  if (!TASKS.includes(task)) throw unusable('task')
  if (!isTexts(classes)) throw unusable('classes')
  if (!Array.isArray(columns) || !columns.every(isColumn)) throw unusable('columns')
  if (typeof weightsCid !== 'string') throw unusable('weightsCid')
  return {
    text: model.fann,
    weightsCid,
    task: (task ?? undefined) as Task | undefined,
    classes,
    columns,
    scaling: scalingIn(model.scaling, 'scaling'),
    target: scalingIn(model.targetScaling, 'targetScaling'),
  }
}

/**
 * Checks a description against the sizes of its network.
 *
 * @throws SynapticError `model-damaged`
 */
export function checkDescription(description: Description, fann: Fann): void {
  const { task, classes, scaling, target, columns } = description
  const [inputs, outputs] = [fann.layers[0], fann.layers.at(-1)]
  if (scaling !== undefined && scaling.offset.length !== inputs) throw unusable('scaling')
  if (target !== undefined && target.offset.length !== outputs) throw unusable('targetScaling')
  const expected = task === 'classification' ? outputs : 0
  if (classes.length !== expected) throw unusable('classes')
  const taken = columns.reduce((sum, { categories }) => sum + (categories?.length ?? 1), 0)
  if (columns.length > 0 && taken !== inputs) throw unusable('columns')
}

/** What a FANN file says of its inputs and outputs: their scaling, if it has one. */
export function descriptionIn(fann: Fann): Description {
  const numbers = fann.scaling()
  const nothing = { task: undefined, classes: [], columns: [] }
  if (numbers.length === 0) return { ...nothing, scaling: undefined, target: undefined }
  const inputs = 4 * (fann.layers[0] ?? 0)
  const [scaling, target] = [linear(numbers.subarray(0, inputs)), linear(numbers.subarray(inputs))]
  return { ...nothing, scaling, target }
}

/** Puts a description into a FANN file as far as it goes in; what does not is returned. */
export function describe(fann: Fann, description: Description): string[] {
  const { classes, scaling, target, columns } = description
  const lost = classes.length === 0 ? [] : [`the names of its ${classes.length} classes`]
  if (columns.length > 0) lost.push(`what its ${columns.length} columns are`)
  if (scaling === undefined && target === undefined) return lost
  const [inputs = 0] = fann.layers
  const outputs = fann.layers.at(-1) ?? 0
  const numbers = [...ofLinear(scaling, inputs), ...ofLinear(target, outputs)]
  fann.setScaling(Float32Array.from(numbers))
  return [...lost, 'digits of the scaling behind the sixth decimal place']
}

/** `(number - offset) * scale` of FANN's four numbers per column. */
function linear(numbers: Float32Array): Scaling {
  const [offset, scale]: [number[], number[]] = [[], []]
  for (let at = 0; at < numbers.length; at += 4) {
    const [mean = 0, deviation = 1, least = 0, factor = 1] = numbers.subarray(at, at + 4)
    const slope = Math.fround(factor / deviation)
    offset.push(Math.fround(mean - ((factor + least) * deviation) / factor))
    scale.push(slope)
  }
  if ([...offset, ...scale].every(Number.isFinite) && !scale.includes(0)) return { offset, scale }
  throw new SynapticError(
    'file-invalid',
    'the scaling in the FANN file cannot be undone: a deviation or a factor is 0',
    'save the network again after fann_clear_scaling_params',
  )
}

function ofLinear(scaling: Scaling | undefined, count: number): number[] {
  return Array.from({ length: count }).flatMap((_, at) => {
    const [offset, scale] = [scaling?.offset[at] ?? 0, scaling?.scale[at] ?? 1]
    return [offset, 1 / scale, -1, 1]
  })
}

function plain(scaling: Scaling | undefined) {
  if (scaling === undefined) return null
  return { offset: Array.from(scaling.offset), scale: Array.from(scaling.scale) }
}

function scalingIn(value: unknown, name: string): Scaling | undefined {
  if (value === null) return undefined
  const { offset, scale } = (value ?? {}) as Record<string, unknown>
  if (!isNumbers(offset) || !isNumbers(scale)) throw unusable(name)
  if (offset.length !== scale.length || scale.includes(0)) throw unusable(name)
  return { offset, scale }
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isFinite(one))
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function isColumn(value: unknown): value is Column {
  const { name = '', categories, fill = 0, ...more } = (value ?? {}) as Record<string, unknown>
  const list = categories === undefined || (isTexts(categories) && categories.length > 0)
  return typeof name === 'string' && list && Number.isFinite(fill) && isEmpty(more)
}

function isEmpty(object: object): boolean {
  return Object.keys(object).length === 0
}

/** The error for a part of a model file that cannot be. */
export function unusable(what: string): SynapticError {
  return damaged(`the model file's ${what} is not usable`)
}
