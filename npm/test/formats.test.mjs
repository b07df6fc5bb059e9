// Model files in other forms: the safetensors container, half precision and eight bits.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { MODEL_BYTES_MAX } from '../dist/formats/errors.js'
import { halfOf, numberOf } from '../dist/formats/half.js'
import { readJson, writeJson } from '../dist/formats/json.js'
import { repeatedKey } from '../dist/formats/json-keys.js'
import { readContainer, writeContainer } from '../dist/formats/safetensors.js'
import { readSafetensors, writeSafetensors } from '../dist/formats/safetensors-model.js'
import { tensorsOf } from '../dist/formats/tensors.js'
import { networkClass } from '../dist/neural/network.js'
import { PRESET_NAMES, presetSpecification } from '../dist/presets.js'
import { fann, neural } from './artifact.mjs'
import { LAYER_CASES } from './layer-cases.mjs'

const vector = (name) => new URL(`../../tests/vectors/formats/${name}`, import.meta.url)
const core = await neural()
const ANSWERS = JSON.parse(readFileSync(vector('answers.json')))

/** The error of `work`, which must have a code. */
function failure(work) {
  try {
    work()
  } catch (error) {
    assert.equal(typeof error.code, 'string', error.stack ?? JSON.stringify(error))
    assert.match(error.code, /^[a-z][a-z-]*$/)
    assert.ok(error.message.length > 0)
    return error
  }
  return undefined
}

/** A generator of numbers below `limit`, from the seed that a failure prints. */
function draws(seed) {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

/** A network whose parameters differ, with statistics that are none of a new one. */
function network(specification, seed = 1) {
  const made = core.Network.create(specification, BigInt(seed))
  const draw = draws(seed)
  made.setWeights(made.weights().map((number) => number + (draw(1000) + 1) / 2000))
  return made
}

function described() {
  const made = network({
    inputs: 3,
    layers: [
      { units: 4, activation: 'relu' },
      { units: 2, activation: 'softmax' },
    ],
    loss: 'cross-entropy',
  })
  made.describe({ scaling: { offset: [1, 2, 3], scale: [0.5, 0.1, -2] }, classes: ['a"', 'ü'] })
  return made
}

const ROUND_TRIPS = [
  ['safetensors', readSafetensors, writeSafetensors],
  ['json', readJson, writeJson],
]

const SPECIFICATIONS = [
  ...PRESET_NAMES.map((name) => [name, presetSpecification(name)]),
  ...LAYER_CASES,
]

for (const [name, specification] of SPECIFICATIONS) {
  test(`${name} comes back with every bit, and its tensors are its parameters`, () => {
    const made = network(specification)
    const count = tensorsOf(specification)
      .map(({ shape }) => shape.reduce((a, b) => a * b, 1))
      .reduce((a, b) => a + b, 0)
    assert.equal(count, made.parameterCount)
    for (const [, read, write] of ROUND_TRIPS) {
      const back = read(core, write(core, made, 'f32'))
      assert.equal(back.weightsCid(), made.weightsCid())
      assert.deepEqual(back.specification, made.specification)
      for (const dtype of ['f16', 'int8']) {
        const file = write(core, made, dtype)
        const near = read(core, file).weights()
        const bound = dtype === 'f16' ? 2 ** -11 : 1 / 254 + 1e-6
        const sizes = made.weights()
        const largest = sizes.reduce((most, one) => Math.max(most, Math.abs(one)), 0)
        near.forEach((one, place) => {
          assert.ok(Math.abs(one - sizes[place]) <= bound * largest, `${dtype} at ${place}`)
        })
        assert.ok(file.length < 0.75 * write(core, made, 'f32').length + 4_000, dtype)
      }
    }
  })
}

test('both forms keep classes, task and scaling', () => {
  const made = described()
  const inputs = Float32Array.of(4, -5, 6)
  for (const [, read, write] of ROUND_TRIPS) {
    for (const dtype of ['f32', 'f16', 'int8']) {
      const back = read(core, write(core, made, dtype))
      assert.deepEqual([back.classes, back.task], [made.classes, made.task])
      assert.deepEqual(back.scaling, made.scaling)
      if (dtype === 'f32') assert.deepEqual(back.run(inputs), made.run(inputs))
    }
  }
})

test('the targets of a regression keep their scaling', () => {
  const rows = new TextEncoder().encode('0,10.5\n1,20.25\n2,35.5\n3,41.75\n')
  const made = core.Network.create(
    { inputs: 1, layers: [{ units: 1, activation: 'linear' }], loss: 'mse' },
    1n,
  )
  made.trainEpoch(core.Dataset.parse(rows, { task: 'regression', header: false }), {})
  for (const [, read, write] of ROUND_TRIPS) {
    const back = read(core, write(core, made, 'f32'))
    assert.deepEqual(back.run(Float32Array.of(2)), made.run(Float32Array.of(2)))
    assert.deepEqual(back.toModel(), made.toModel())
  }
})

for (const dtype of ['f32', 'f16']) {
  test(`a file of ${dtype} that Python's safetensors wrote gives the answers of numpy`, () => {
    const read = readSafetensors(core, readFileSync(vector(`${dtype}.safetensors`)))
    assert.deepEqual(read.classes, ['no', 'yes'])
    ANSWERS.rows.forEach((row, at) => {
      read.run(Float32Array.from(row)).forEach((answer, place) => {
        assert.ok(Math.abs(answer - ANSWERS[dtype][at][place]) < 1e-6)
      })
    })
  })
}

test('every half is the number that CPython says, and comes back', () => {
  const { all } = JSON.parse(readFileSync(vector('halves.json')))
  const floats = new DataView(new ArrayBuffer(4 << 16))
  for (let half = 0; half < 1 << 16; half += 1) {
    const number = numberOf(half)
    floats.setFloat32(4 * half, number, true)
    if (Number.isNaN(number)) floats.setUint32(4 * half, 0x7fc00000, true)
    else assert.equal(halfOf(number), half)
  }
  assert.equal(createHash('sha256').update(floats).digest('hex'), all)
})

test('numbers become the nearest half, of two the even one, as in numpy', () => {
  const { rounded } = JSON.parse(readFileSync(vector('halves.json')))
  const view = new DataView(new ArrayBuffer(4))
  const cases = rounded.flatMap((line) => line.split(' '))
  assert.ok(cases.length > 700)
  for (const text of cases) {
    const [bits, half] = text.split(':').map((hex) => Number.parseInt(hex, 16))
    view.setUint32(0, bits)
    assert.equal(halfOf(view.getFloat32(0)), half, text)
    assert.equal(halfOf(-view.getFloat32(0)), half | 0x8000, `-${text}`)
  }
})

test('a weight beyond the largest half is refused, and eight bits take it', () => {
  const made = described()
  const weights = made.weights()
  weights[0] = 65_520
  made.setWeights(weights)
  assert.equal(failure(() => writeSafetensors(core, made, 'f16')).code, 'weights-too-large')
  const back = readSafetensors(core, writeSafetensors(core, made, 'int8'))
  assert.ok(Math.abs(back.weights()[0] - 65_520) < 0.01)
})

// ---- hostile files -----------------------------------------------------------------------------

/** A file of this header, with so many bytes of data; `length` is what it says of the header. */
function fileOf(header, dataLength = 0, length) {
  const text = typeof header === 'string' ? header : JSON.stringify(header)
  const json = new TextEncoder().encode(text)
  const file = new Uint8Array(8 + json.length + dataLength)
  new DataView(file.buffer).setBigUint64(0, BigInt(length ?? json.length), true)
  file.set(json, 8)
  return file
}

const f32 = (from, to, shape = [(to - from) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [from, to],
})

const HOSTILE = [
  ['nothing', new Uint8Array(0), 'model-truncated'],
  ['seven bytes', new Uint8Array(7), 'model-truncated'],
  ['no header', new Uint8Array(8), 'model-foreign'],
  ['a header beyond the file', fileOf({}, 0, 3), 'model-truncated'],
  ['a header of 2^64 - 1 bytes', fileOf({}, 0, 2n ** 64n - 1n), 'model-foreign'],
  ['a header that is not JSON', fileOf('{"a":'), 'model-foreign'],
  ['a header that is a list', fileOf('[]'), 'model-foreign'],
  ['a header with spaces before it', fileOf(' {}'), 'model-foreign'],
  [
    'a header that is not UTF-8',
    fileOf('{"?":1}').map((b) => (b === 63 ? 255 : b)),
    'model-foreign',
  ],
  ['a tensor that is a number', fileOf({ a: 1 }), 'model-damaged'],
  ['a tensor that is null', fileOf({ a: null }), 'model-damaged'],
  ['metadata that is a list', fileOf({ __metadata__: [] }), 'model-damaged'],
  ['metadata that is no text', fileOf({ __metadata__: { a: 1 } }), 'model-damaged'],
  ['a dtype of eight bytes', fileOf({ a: { ...f32(0, 8), dtype: 'F64' } }, 8), 'model-tensor'],
  [
    'a dtype that all objects have',
    fileOf({ a: { ...f32(0, 4), dtype: 'toString' } }, 4),
    'model-tensor',
  ],
  ['no dtype', fileOf({ a: { shape: [1], data_offsets: [0, 4] } }, 4), 'model-tensor'],
  ['a shape that is a text', fileOf({ a: f32(0, 4, '1') }, 4), 'model-damaged'],
  ['a size below 0', fileOf({ a: f32(0, 4, [-1, -1]) }, 4), 'model-damaged'],
  ['half a size', fileOf({ a: f32(0, 4, [0.5, 2]) }, 4), 'model-damaged'],
  ['sizes that overflow', fileOf({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4), 'model-damaged'],
  ['sizes whose product is 2^64', fileOf({ a: f32(0, 0, [2 ** 31, 2 ** 31]) }), 'model-damaged'],
  ['too many sizes', fileOf({ a: f32(0, 4, Array(2000).fill(2 ** 52)) }, 4), 'model-damaged'],
  ['one offset', fileOf({ a: { ...f32(0, 4), data_offsets: [0] } }, 4), 'model-damaged'],
  [
    'offsets that are texts',
    fileOf({ a: { ...f32(0, 4), data_offsets: ['0', '4'] } }, 4),
    'model-damaged',
  ],
  ['offsets backwards', fileOf({ a: { ...f32(0, 4), data_offsets: [4, 0] } }, 4), 'model-damaged'],
  ['offsets outside', fileOf({ a: f32(0, 8) }, 4), 'model-truncated'],
  ['fewer bytes than the shape', fileOf({ a: f32(0, 4, [2]) }, 4), 'model-damaged'],
  ['a tensor in another', fileOf({ a: f32(0, 8), b: f32(4, 8) }, 8), 'model-damaged'],
  ['two tensors in one place', fileOf({ a: f32(0, 4), b: f32(0, 4) }, 4), 'model-damaged'],
  ['a hole before', fileOf({ a: f32(4, 8) }, 8), 'model-damaged'],
  ['a hole between', fileOf({ a: f32(0, 4), b: f32(8, 12) }, 12), 'model-damaged'],
  ['bytes behind', fileOf({ a: f32(0, 4) }, 5), 'model-damaged'],
  ['a tensor twice', fileOf('{"a":{},"\\u0061":{}}'), 'model-damaged'],
  ['another field', fileOf({ a: { ...f32(0, 4), strides: [4] } }, 4), 'model-damaged'],
  ['no metadata', fileOf({ a: f32(0, 4) }, 4), 'model-foreign'],
]

for (const [what, file, code] of HOSTILE) {
  test(`a safetensors file with ${what} is ${code}`, () => {
    assert.equal(failure(() => readSafetensors(core, file))?.code, code)
  })
}

/** The file of `described` after a change to what is in it. */
function changed(change) {
  const { metadata, tensors } = readContainer(writeSafetensors(core, described(), 'int8'))
  const parts = { metadata: new Map(metadata), tensors: new Map(tensors) }
  change(parts)
  return writeContainer(parts)
}

const edit = (name, change) => (parts) => {
  const tensor = parts.tensors.get(name)
  parts.tensors.set(name, { ...tensor, ...change(tensor) })
}

const GIGANTIC = { units: 8192, activation: 'relu' }

const CHANGES = [
  ['without a tensor', ({ tensors }) => tensors.delete('layers.1.bias'), 'model-tensor'],
  ['without a scale', ({ tensors }) => tensors.delete('layers.0.weight_scale'), 'model-tensor'],
  [
    'with one more',
    ({ tensors }) => tensors.set('layers.2.bias', tensors.get('layers.1.bias')),
    'model-tensor',
  ],
  [
    'with a scale of a vector',
    ({ tensors }) => tensors.set('layers.1.bias_scale', tensors.get('layers.1.bias')),
    'model-tensor',
  ],
  ['with a matrix turned', edit('layers.0.weight', () => ({ shape: [3, 4] })), 'model-tensor'],
  ['with a matrix in a row', edit('layers.0.weight', () => ({ shape: [12] })), 'model-tensor'],
  [
    'with a scale of halves',
    edit('layers.0.weight_scale', () => ({ kind: 'F16', bytes: new Uint8Array(8) })),
    'model-tensor',
  ],
  [
    'with infinity',
    edit('layers.0.bias', () => ({
      bytes: new Uint8Array(new Float32Array([1, Infinity, 1, 1]).buffer),
    })),
    'model-tensor',
  ],
  [
    'with a scale that is none',
    edit('layers.0.weight_scale', () => ({
      bytes: new Uint8Array(new Float32Array(4).fill(NaN).buffer),
    })),
    'model-tensor',
  ],
  [
    'with other weights',
    edit('layers.0.bias', () => ({ bytes: new Uint8Array(16) })),
    'model-damaged',
  ],
  ['of another version', ({ metadata }) => metadata.set('version', '9'), 'model-version'],
  ['of another format', ({ metadata }) => metadata.set('format', 'pt'), 'model-foreign'],
  ['without a specification', ({ metadata }) => metadata.delete('specification'), 'model-damaged'],
  [
    'with a broken specification',
    ({ metadata }) => metadata.set('specification', '{'),
    'model-damaged',
  ],
  [
    'with a key twice',
    ({ metadata }) => metadata.set('classes', '[{"a":1,"a":2}]'),
    'model-damaged',
  ],
  ['with too few classes', ({ metadata }) => metadata.set('classes', '["a"]'), 'model-damaged'],
  [
    'with classes that are numbers',
    ({ metadata }) => metadata.set('classes', '[1,2]'),
    'model-foreign',
  ],
  ['with another task', ({ metadata }) => metadata.set('task', 'dream'), 'model-foreign'],
  [
    'with a scaling of 0',
    ({ metadata }) => metadata.set('scaling', '{"offset":[1,1,1],"scale":[1,0,1]}'),
    'model-damaged',
  ],
  [
    'with a gigantic layer',
    ({ metadata }) =>
      metadata.set(
        'specification',
        JSON.stringify({ inputs: 3, layers: Array(2).fill(GIGANTIC), loss: 'mse' }),
      ),
    'parameters-too-many',
  ],
]

for (const [what, change, code] of CHANGES) {
  test(`a model ${what} is ${code}`, () => {
    assert.equal(failure(() => readSafetensors(core, changed(change)))?.code, code)
  })
}

test('the file those are made of is fine, and also without its content id', () => {
  assert.equal(
    failure(() =>
      readSafetensors(
        core,
        changed(() => undefined),
      ),
    ),
    undefined,
  )
  const anonymous = ({ metadata, tensors }) => {
    metadata.delete('weightsCid')
    metadata.set('more', 'is passed over')
    edit('layers.0.bias', () => ({ bytes: new Uint8Array(16) }))({ tensors })
  }
  assert.equal(
    failure(() => readSafetensors(core, changed(anonymous))),
    undefined,
  )
})

test('whatever happens to a file, reading it gives a model or an error with a code', () => {
  const seed = Number(process.env.SEED ?? 1)
  const draw = draws(seed)
  const files = [
    ...['f32', 'int8'].map((dtype) => [
      writeSafetensors(core, described(), dtype),
      readSafetensors,
    ]),
    [writeJson(core, described(), 'f16'), readJson],
  ]
  let read = 0
  for (let round = 0; round < 10_000; round += 1) {
    const [valid, reader] = files[round % files.length]
    const file = mutated(valid, draw)
    try {
      if (failure(() => reader(core, file).free()) === undefined) read += 1
    } catch (error) {
      throw new Error(`SEED=${seed}, round ${round}: ${error.message}`, { cause: error })
    }
  }
  // Most changes are noticed: by the content id where nothing else does.
  assert.ok(read < 1_000, `${read} of 10,000 changed files were read`)
})

/** A file with one to four changes: bits, bytes, digits of the header, pieces lost or doubled. */
function mutated(valid, draw) {
  let file = Uint8Array.from(valid)
  for (let count = 1 + draw(4); count > 0; count -= 1) {
    const at = draw(2) === 0 ? draw(file.length) : draw(Math.min(file.length, 900))
    const [first, rest] = [file.subarray(0, at), file.subarray(at)]
    const piece = 1 + draw(24)
    const kinds = [
      () => file.with(at, file[at] ^ (1 << draw(8))),
      () => file.with(at, draw(256)),
      () => file.with(at, '0123456789[]{},":-.e\\'.charCodeAt(draw(21))),
      () => Uint8Array.of(...first, ...rest.subarray(piece)),
      () => Uint8Array.of(...first, ...rest.subarray(0, piece), ...rest),
      () => first,
      () => file.with(draw(8), draw(256)),
    ]
    if (file.length > 8) file = kinds[draw(kinds.length)]()
  }
  return file
}

test('both forms are bounded by the same number of bytes', () => {
  const spaces = new Uint8Array(MODEL_BYTES_MAX + 1).fill(32)
  for (const [, read] of ROUND_TRIPS) {
    const refusal = failure(() => read(core, spaces))
    assert.equal(refusal.code, 'model-too-large')
    assert.ok(refusal.message.includes(`${MODEL_BYTES_MAX}`))
    assert.equal(failure(() => read(core, spaces.subarray(1)))?.code, 'model-foreign')
  }
})

test('what was made with force is kept in every form', () => {
  const specification = {
    inputs: 1100,
    layers: [{ units: 1000, activation: 'linear' }],
    loss: 'mse',
  }
  assert.equal(failure(() => core.Network.create(specification, 1n))?.code, 'parameters-too-many')
  const made = core.Network.create(specification, 1n, true)
  for (const [, read, write] of ROUND_TRIPS) {
    assert.equal(read(core, write(core, made, 'f32')).weightsCid(), made.weightsCid())
    assert.ok(read(core, write(core, made, 'int8')))
  }
})

test('keys that are given twice are found, at any depth and in any spelling', () => {
  const once = ['{}', '[]', '1', '{"a":"a","b":{"a":"b"}}', '[{"a":1},{"a":2}]', '{"a":["a","a"]}']
  for (const json of [...once, '{"\\"":1,"\\\\":2}']) assert.equal(repeatedKey(json), undefined)
  const twice = [
    '{"a":1,"a":1}',
    '[{"b":[{"a":1 , "a" :1}]}]',
    '{"a":1,"\\u0061":1}',
    '{"__proto__":1,"__proto__":1}',
  ]
  for (const json of twice) assert.ok(repeatedKey(json))
})

test('programs save and load every form, and are told which cannot be', async () => {
  const Network = networkClass({ neural, fann })
  const made = await Network.create({ architecture: 'gru', seed: 4 })
  const input = Float32Array.from({ length: 32 * 16 }, (_, at) => Math.sin(at))
  for (const format of ['json', 'safetensors']) {
    const back = await Network.load(made.save({ format }))
    assert.deepEqual(back.run(input), made.run(input))
    for (const dtype of ['f16', 'int8']) {
      const file = made.save({ format, dtype })
      const near = await Network.load(file)
      assert.notEqual(near.weightsCid(), made.weightsCid())
      const far = near.run(input).map((answer, at) => Math.abs(answer - made.run(input)[at]))
      assert.ok(Math.max(...far) < 0.01, `${dtype}: ${far}`)
    }
  }
  assert.deepEqual(made.save(), made.save({ format: 'json', dtype: 'f32' }))
  const text = new TextDecoder().decode(made.save({ dtype: 'int8' }))
  assert.equal((await Network.load(text)).parameterCount, made.parameterCount)
  for (const options of [
    { format: 'pt' },
    { format: 'toString' },
    { format: 'onnx', dtype: 'f16' },
  ]) {
    assert.equal(failure(() => made.save(options)).code, 'usage')
  }
  assert.equal(failure(() => made.save({ dtype: 'f8' })).code, 'usage')
  const refusal = await Network.load(made.save({ format: 'onnx' })).catch((error) => error)
  assert.equal(refusal.code, 'model-foreign')
})
