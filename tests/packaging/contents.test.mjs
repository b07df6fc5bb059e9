// What is in the package and what it pulls in: nothing that needs an install script, nothing of the
// machine it was built on, and types that tools agree with.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { npm, packed, scratch } from '../packed.mjs'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const BYTES_MAX = 17_500_000
const read = (path) => readFileSync(path, 'utf8')

function* filesIn(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesIn(path)
    else yield path
  }
}

test('no package in the tree has an install script', () => {
  const modules = join(packed().folder, 'node_modules')
  const scripted = []
  for (const path of filesIn(modules)) {
    if (path.endsWith('binding.gyp')) scripted.push(path)
    if (!path.endsWith('/package.json')) continue
    const { name, scripts = {} } = JSON.parse(read(path))
    const hooks = ['preinstall', 'install', 'postinstall'].filter((hook) => scripts[hook])
    if (hooks.length > 0) scripted.push(`${name}: ${hooks.join()}`)
  }
  assert.deepEqual(scripted, [])
  const lock = JSON.parse(read(join(packed().folder, 'package-lock.json')))
  const flagged = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript)
  assert.deepEqual(flagged, [])
})

test('npm ls finds nothing missing or extraneous', () => {
  const tree = JSON.parse(npm(['ls', '--all', '--json'], packed().folder))
  assert.equal(tree.problems, undefined)
  assert.deepEqual(Object.keys(tree.dependencies), ['synaptic-mesh'])
})

test('the dependencies are those of the host, and no more', () => {
  const ours = JSON.parse(read(join(packed().package, 'package.json')))
  const host = JSON.parse(read(join(ROOT, 'npm/package.json')))
  assert.deepEqual(ours.dependencies, host.dependencies)
  assert.deepEqual(ours.optionalDependencies, host.optionalDependencies)
})

test("no artifact knows the simulator's signatures, which anybody could make", () => {
  const mark = Buffer.from('stub-signatures!')
  const modules = [...filesIn(packed().package)].filter((path) => path.endsWith('.wasm'))
  assert.ok(modules.length >= 2, `${modules.length} modules in the package`)
  for (const path of modules) assert.ok(!readFileSync(path).includes(mark), path)
})

test('every file belongs there, and none names the machine that built it', () => {
  let total = 0
  for (const path of filesIn(packed().package)) {
    total += statSync(path).size
    assert.doesNotMatch(path, /\.(map|tsbuildinfo|stamp)$|\/test\//)
    const text = readFileSync(path, 'latin1')
    for (const place of [ROOT, join(homedir(), '.cargo')]) {
      assert.ok(!text.includes(place), `${path} names ${place}`)
    }
  }
  assert.ok(total < BYTES_MAX, `${total} bytes unpacked`)
  for (const name of [
    'LICENSE',
    'README.md',
    'data/digits.csv',
    'data/README.md',
    'www/index.html',
  ]) {
    assert.ok(existsSync(join(packed().package, name)), name)
  }
})

test('publint has nothing to say', async () => {
  const { messages } = await publint({
    pkgDir: packed().package,
    level: 'suggestion',
    strict: true,
  })
  assert.deepEqual(messages, [])
})

test('are the types wrong? They are not', () => {
  const cli = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js')
  // The old resolution knows no subpaths, wasm files have no types, and every Node that the package
  // runs on can require an ES module.
  const rules = ['--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm']
  rules.push('--exclude-entrypoints', 'mesh.wasm', 'neural.wasm', 'proof.wasm')
  const args = [cli, packed().tarball, ...rules, '--format', 'ascii', '--no-emoji']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
})

const USER = `
const node: Node = await createNode({ storage: 'memory' })
const request: RunRequest = { name: 'a', data: new Uint8Array(1), layers: [2, 1], rounds: 1 }
const { run, samples } = await node.startRun(request)
const round: number = run.round + samples
for await (const event of node.events()) {
  if (event.type === 'round') { const cid: string = event.weightsCid }
  // @ts-expect-error there is no such event
  if (event.type === 'rounds') { throw event }
}
const { Dataset, Network } = await loadNeural()
const network = Network.create({ inputs: 1, layers: [], loss: 'mse' }, 1n)
// @ts-expect-error the small artifact deals no rows out to members
Dataset.parse(new Uint8Array(1)).dirichletSplit(2, 1, 1n)
// @ts-expect-error a seed is a bigint
Network.create({ inputs: 1, layers: [], loss: 'mse' }, 1)
const outputs: Float32Array = network.run(new Float32Array(1))
// @ts-expect-error a page has no such storage
await createNode({ storage: 'cookies' })
const error = new SynapticError('a', 'b')
const code: string = error.code
`

const NEURAL_USER = `
const network: Network = await Network.create({ layers: [2, 4, 1], activation: 'tanh', seed: 1 })
await Network.create({ inputs: [8, 8, 1], layers: [{ type: 'flatten' }, { units: 2, activation: 'softmax' }] })
await Network.create({ architecture: 'vision', outputs: 3 })
// @ts-expect-error there is no such architecture
await Network.create({ architecture: 'resnet' })
// @ts-expect-error there is no such activation
await Network.create({ layers: [2, 1], activation: 'rely' })
// @ts-expect-error networks are made by create
new Network()
const signal = new AbortController().signal
const options: TrainOptions = { algorithm: 'adamw', epochs: 3, loss: 'quantile-0.9', signal }
for await (const { epoch, loss } of network.train({ inputs: [[0, 1]], targets: [[1]] }, options)) {
  const sum: number = epoch + loss
}
// @ts-expect-error there is no such algorithm
network.train({ inputs: [], targets: [] }, { algorithm: 'lion' })
network.train({ inputs: [], targets: [] }, { algorithm: 'rprop', rpropDeltaMax: 10, desiredError: 0 })
const sparse = await Network.create({ layers: [2, 4, 1], connectionRate: 0.5, activation: 'gaussian' })
const grown: number | undefined = sparse.fann?.cascadeNeurons
for await (const { neurons } of sparse.train({ inputs: [], targets: [] }, { algorithm: 'cascade' })) {
  const count: number | undefined = neurons ?? grown
}
const { file, lost } = await sparse.convert('net')
const said: string = lost.join(String(file.length))
// @ts-expect-error FANN has no such activation
await Network.create({ kind: 'fann', layers: [2, 1], activation: 'softmax' })
const outputs: Float32Array = network.run([0, 1])
const other: Network = await Network.load(network.save())
const unknown: unknown = other
if (unknown instanceof Network) unknown.runBatch(outputs)
other[Symbol.dispose]()
const code: string = new SynapticError('a', 'b').code
`

// A program of Node need not have the types of a page, nor a page those of Node.
const LIBRARIES = ['es2023', 'esnext.disposable']
const IN_NODE = { lib: LIBRARIES, types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] }
const IN_PAGE = { lib: [...LIBRARIES, 'dom'], types: [] }

const WHOLE = {
  names: 'createNode, loadNeural, SynapticError, type Node, type RunRequest',
  user: USER,
}
const PROOF_USER = `
const proven: ProvenItem = await verifyProof(new Uint8Array(1), new Uint8Array(1), { heightMin: 2 })
const height: number = proven.height
// @ts-expect-error bytes, not their text
await verifyProof('', new Uint8Array(height))
`
const PROOF = { names: 'verifyProof, type ProvenItem', user: PROOF_USER }
const ENGINE = { names: 'Network, SynapticError, type TrainOptions', user: NEURAL_USER }

for (const [name, module, moduleResolution, file, from, place, { names, user } = WHOLE] of [
  ['import, nodenext', 'nodenext', 'nodenext', 'a.mts', 'synaptic-mesh', IN_NODE],
  ['import, bundler', 'esnext', 'bundler', 'b.ts', 'synaptic-mesh', IN_PAGE],
  ['slim, bundler', 'esnext', 'bundler', 'c.ts', 'synaptic-mesh/slim', IN_PAGE],
  ['require, node16', 'node16', 'node16', 'd.cts', 'synaptic-mesh', IN_NODE],
  ['neural, nodenext', 'nodenext', 'nodenext', 'e.mts', 'synaptic-mesh/neural', IN_NODE, ENGINE],
  ['neural, bundler', 'esnext', 'bundler', 'f.ts', 'synaptic-mesh/neural', IN_PAGE, ENGINE],
  ['proof, nodenext', 'nodenext', 'nodenext', 'g.mts', 'synaptic-mesh/proof', IN_NODE, PROOF],
  ['proof, bundler', 'esnext', 'bundler', 'h.ts', 'synaptic-mesh/proof', IN_PAGE, PROOF],
]) {
  test(`the types hold for ${name}, with the package's own declarations checked`, () => {
    const folder = scratch(`types-${file}`)
    const body = file.endsWith('.cts') ? `async function main() {${user}}\nvoid main` : user
    writeFileSync(join(folder, file), `import { ${names} } from '${from}'\n${body}\nexport {}\n`)
    const options = {
      compilerOptions: {
        ...{ module, moduleResolution, target: 'es2023', strict: true, noEmit: true },
        ...place,
        skipLibCheck: false,
      },
      files: [file],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options))
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    try {
      execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8', stdio: 'pipe' })
    } catch (error) {
      assert.fail(error.stdout)
    }
  })
}
