// @ts-check
/**
 * A node in a page or a worker of one: the core with WebSockets it dials, IndexedDB, an identity
 * wrapped by the browser, and a training worker. The counterpart of `lib/node.js`, with the same
 * methods and events; what differs is said at `createNode`.
 */
import { SynapticError, toSynapticError } from './lib/errors.js'
import { Finalised } from './lib/finalised.js'
import { coded } from './lib/host/coded.js'
import { Hub } from './lib/host/hub.js'
import { Runs } from './lib/host/runs.js'
import { decodeJoinLink, encodeJoinLink } from './lib/link.js'
import { checkNodeOptions } from './lib/node-options.js'
import { Database } from './lib/page/database.js'
import { claimSlot, profileId, requireSecureContext, secretsOf } from './lib/page/identity.js'
import { Failure } from './lib/page/problem.js'
import { browserHost } from './lib/page/socket.js'
import { RunLogs, refusedOf } from './lib/run-log.js'
import { completeRows, completeRun } from './lib/run-options.js'
import { serve } from './lib/training/serve.js'
import { WorkerPool } from './lib/training/workers.js'
import { Names, Wallet } from './lib/wallet.js'

/**
 * @typedef {import('./lib/wasm.js').MeshModule} MeshModule
 * @typedef {import('./lib/wasm.js').NeuralModule} NeuralModule
 * @typedef {import('./lib/wasm.js').MeshNode} MeshNode
 * @typedef {import('./lib/wasm.js').MeshEvent} MeshEvent
 * @typedef {import('./lib/node.js').NodeEvent} NodeEvent
 * @typedef {import('./index.d.ts').CreateNodeOptions} CreateNodeOptions
 * @typedef {{
 *   loadMesh(): Promise<MeshModule>,
 *   loadNeural(): Promise<NeuralModule>,
 *   neuralModule(): Promise<WebAssembly.Module>,
 * }} Artifacts
 * @typedef {{
 *   network: string,
 *   genesis: Uint8Array | undefined,
 *   addresses: readonly string[],
 *   meshName: string | null,
 * }} Meeting
 */

/** `createNode` for these artifacts. @param {Artifacts} artifacts */
export function nodeMaker(artifacts) {
  /** @param {CreateNodeOptions} options @returns {Promise<import('./index.d.ts').Node>} */
  return async (options = {}) => {
    try {
      checkNodeOptions(options)
      return /** @type {any} */ (await makeNode(artifacts, options))
    } catch (thrown) {
      throw asSynapticError(thrown)
    }
  }
}

/** @param {Artifacts} artifacts @param {CreateNodeOptions} options */
async function makeNode(artifacts, options) {
  const mesh = await artifacts.loadMesh()
  const meeting = meetingOf(mesh, options)
  /** @type {() => void} */
  let release = () => {}
  const ended = new Promise((resolve) => {
    release = () => resolve(undefined)
  })
  let close = () => {}
  /** @type {Uint8Array | undefined} */
  let secrets
  try {
    const place = await openPlace(mesh, meeting, options, ended)
    close = place.close
    secrets = place.secrets
    const { storage } = place
    const made = await mesh.MeshNode.create({
      network: meeting.network,
      ...(place.genesis === undefined ? {} : { genesis: place.genesis }),
      ...(meeting.meshName === null ? {} : { name: meeting.meshName }),
      // Browsers give an origin little room, and take all of it away when it is too much.
      history: options.history ?? 'brief',
      ...(options.classical === undefined ? {} : { classical: options.classical }),
      ...(options.relaying === undefined ? {} : { relaying: options.relaying }),
      secrets,
      storage: /** @type {any} */ (storage),
      host: browserHost(options.iceServers),
      bootstrap: [...meeting.addresses, ...(options.bootstrap ?? [])],
    })
    const core = coded(made)
    const ending = () => {
      close()
      release()
    }
    return new PageNode(
      core,
      { ...meeting, genesis: place.genesis },
      storage.kind,
      artifacts,
      options.worker,
      ending,
    )
  } catch (thrown) {
    close()
    release()
    throw thrown
  } finally {
    secrets?.fill(0)
  }
}

/** @param {MeshModule} mesh @param {CreateNodeOptions} options @returns {Meeting} */
function meetingOf(mesh, { join, network, name, genesis: given }) {
  const link = join === undefined ? undefined : decodeJoinLink(join)
  if (link !== undefined && network !== undefined && link.network !== network) {
    throw new SynapticError('wrong-network', `the link is for network ${link.network}`)
  }
  const genesis = given ?? link?.genesis
  const ofGenesis = genesis === undefined ? undefined : mesh.inspectGenesis(genesis).network
  return {
    network: network ?? link?.network ?? ofGenesis ?? mesh.generateNetworkId(),
    genesis,
    addresses: link?.addresses ?? [],
    meshName: name ?? link?.meshName ?? null,
  }
}

/**
 * Identity and storage. A history that is forgotten takes an identity that is forgotten with it.
 *
 * @param {MeshModule} mesh
 * @param {Meeting} meeting
 * @param {CreateNodeOptions} options
 * @param {Promise<unknown>} ended
 */
async function openPlace(mesh, meeting, { storage = 'indexeddb' }, ended) {
  if (storage === 'memory') {
    const { genesis } = meeting
    const close = () => {}
    return { secrets: mesh.generateSecrets(), genesis, storage: { kind: 'memory' }, close }
  }
  if (storage !== 'indexeddb') {
    const hint = 'use "indexeddb", which is the default, or "memory"'
    throw new SynapticError('usage', `a page has no storage "${storage}"`, hint)
  }
  requireSecureContext()
  const database = await Database.open()
  try {
    const claim = await claimSlot(meeting.network, null, ended)
    const { secrets, profile } = await secretsOf(database, mesh, claim, meeting)
    const storage = { kind: 'indexeddb', name: `synaptic-mesh/${profileId(claim)}` }
    return { secrets, genesis: profile.genesis, storage, close: () => database.close() }
  } catch (thrown) {
    database.close()
    throw thrown
  }
}

/** A running node. */
class PageNode {
  #core
  #meeting
  #kind
  #ending
  #pool
  #runs
  /** @type {Hub<any>} */
  #hub = new Hub()
  #courses = new RunLogs()
  /** @type {Promise<void> | undefined} */
  #stopping

  /**
   * @param {MeshNode} core
   * @param {Meeting} meeting
   * @param {string} kind
   * @param {Artifacts} artifacts
   * @param {(() => unknown) | undefined} worker
   * @param {() => void} ending
   */
  constructor(core, meeting, kind, artifacts, worker, ending) {
    this.#core = core
    this.#meeting = meeting
    this.#kind = kind
    this.#ending = ending
    this.nodeId = core.nodeId
    this.network = meeting.network
    /** @param {any} event */
    const emit = (event) => this.#tell(event)
    this.#pool = new WorkerPool(1, spawnIn(artifacts, worker, emit))
    this.#runs = new Runs(core, this.#pool, { recall: () => ({}), remember: () => {} }, emit)
    this.wallet = new Wallet(core, () => this.#hub.subscribe())
    this.names = new Names(core, () => this.#hub.subscribe())
    this.closed = this.#pump()
    this.closed.catch(() => {})
  }

  /** A page cannot be dialled, so others join by the addresses it joined by itself. */
  get joinLink() {
    const { network, genesis, addresses, meshName } = this.#meeting
    const link = { network, genesis, addresses, meshName: meshName ?? undefined }
    return encodeJoinLink(globalThis.location?.origin ?? '', link)
  }

  get addresses() {
    return []
  }

  get port() {
    return 0
  }

  events() {
    return this.#hub.subscribe()
  }

  async status() {
    const status = await this.#core.status()
    const { kind, bytes } = { ...status.storage, kind: this.#kind }
    const name = this.#meeting.meshName ?? ''
    const storage = { kind, path: null, bytes }
    return { ...status, name, addresses: this.addresses, join: this.joinLink, storage }
  }

  get genesis() {
    return this.#meeting.genesis
  }

  async finality() {
    return (await this.#core.status()).finality
  }

  committee() {
    return this.#core.committee()
  }

  /** @param {readonly import('./lib/wasm.js').CommitteeMember[]} members */
  proposeCommittee(members) {
    return this.#core.proposeCommittee({ members })
  }

  /** @param {string} item */
  item(item) {
    return this.#core.item(item)
  }

  finalised({ from = 0 } = {}) {
    return new Finalised(this.#core, this.#hub.subscribe(), from)
  }

  /** @param {string} item */
  proof(item) {
    return this.#core.prove(item)
  }

  /** @param {string} address */
  dial(address) {
    return this.#core.dial(address)
  }

  /** @param {import('./lib/run-options.js').RunRequest} request */
  async startRun(request) {
    return this.#runs.start(completeRun(request))
  }

  /** @param {string} run @param {import('./lib/run-options.js').RowsRequest} request */
  async joinRun(run, request) {
    return this.#runs.join(run, completeRows(request))
  }

  /** @param {string} run */
  leaveRun(run) {
    return this.#runs.leave(run)
  }

  runs() {
    return this.#core.runs()
  }

  /** @param {string} run */
  async runModel(run) {
    return this.#core.runModel((await this.#runs.find(run, 0)).run)
  }

  /** @param {string} run */
  async training(run, { from = 1 } = {}) {
    const { counters } = await this.#core.status()
    const view = await this.#runs.find(run, 0)
    return this.#courses.of(view.run).view(view, refusedOf(counters), from)
  }

  /** @param {string} run */
  async exportRun(run) {
    return this.#core.exportRun((await this.#runs.find(run, 0)).run)
  }

  /** A page reads no files, so there are no rows it could find again. */
  resumeRuns() {
    return this.#runs.resume()
  }

  stop() {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.stop()
  }

  async #stop() {
    try {
      await this.#core.stop()
      await this.closed.catch(() => {})
    } finally {
      await this.#pool.close()
      this.#hub.end()
      this.#ending()
    }
  }

  async #pump() {
    try {
      for (;;) {
        const event = await this.#core.nextEvent()
        if (event === null) break
        this.#handle(event)
      }
      this.#hub.end()
    } catch (thrown) {
      const error = asSynapticError(thrown)
      this.#hub.end(error)
      throw error
    }
  }

  /** @param {any} event */
  #tell(event) {
    this.#courses.observe(event, false)
    this.#hub.emit(event)
  }

  /** @param {MeshEvent} event */
  #handle(event) {
    if (event.type === 'train') return void this.#runs.train(event)
    this.#tell(event)
    if (event.type === 'round') void this.#runs.evaluate(event.run)
    if (event.type === 'run' && event.state === 'finished') void this.#runs.finish(event.run)
  }
}

/**
 * Starts training workers; where a bundler or a content policy leaves none, the calling thread does
 * the work, and an event says so.
 *
 * @param {Artifacts} artifacts
 * @param {(() => unknown) | undefined} make
 * @param {(event: object) => void} emit
 * @returns {import('./lib/training/workers.js').SpawnWorker}
 */
function spawnIn(artifacts, make, emit) {
  return ({ reply, end }) => {
    /** @type {any[] | null} Requests from before the worker is up. */
    let early = []
    /** @param {any} request */
    let post = (request) => void early?.push(request)
    /** @param {(request: any) => void} target */
    const settle = (target) => {
      post = target
      for (const request of early ?? []) target(request)
      early = null
    }
    /** @param {string} why */
    const fall = (why) => {
      const message = `training runs on the calling thread: ${why}`
      const hint = 'pass createNode({ worker: () => new Worker(...) }) with synaptic-mesh/worker'
      emit({ type: 'warning', code: 'no-worker', message, hint })
      const side = { neural: artifacts.loadNeural, fann: refuseFann, read: refuseFile, send: reply }
      settle(serve({ ...side, end: () => end('a trap') }))
    }
    const worker = start(make)
    if (typeof worker === 'string') {
      fall(worker)
      return { post: (request) => post(request), busy: () => {}, terminate: async () => {} }
    }
    worker.addEventListener('error', (event) => {
      event.preventDefault()
      if (early === null) return end(event.message)
      worker.terminate()
      fall(event.message ?? 'the worker did not start')
    })
    const equip = async () => {
      try {
        worker.postMessage({ module: await artifacts.neuralModule() })
        settle((request) => worker.postMessage(request))
      } catch (thrown) {
        worker.terminate()
        end(asSynapticError(thrown).message, thrown)
      }
    }
    worker.addEventListener('message', ({ data }) => {
      if ('ready' in data) void equip()
      else if ('ended' in data) end('a trap')
      else reply(data)
    })
    return {
      post: (request) => post(request),
      busy: () => {},
      terminate: async () => worker.terminate(),
    }
  }
}

/** A worker, or why there is none. @param {(() => unknown) | undefined} make */
function start(make) {
  try {
    if (make !== undefined) return /** @type {Worker} */ (make())
    return new Worker(new URL('./worker.mjs', import.meta.url), { type: 'module' })
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** @returns {never} */
function refuseFann() {
  const hint = "use Network of 'synaptic-mesh/neural'"
  throw new SynapticError('no-fann', 'runs have no networks of FANN', hint)
}

/** @param {string} file @returns {never} */
function refuseFile(file) {
  const hint = 'give the bytes: new Uint8Array(await file.arrayBuffer())'
  throw new SynapticError('no-such-file', `a page cannot read "${file}"`, hint)
}

/** @param {unknown} thrown */
function asSynapticError(thrown) {
  if (!(thrown instanceof Failure)) return toSynapticError(thrown)
  const { code, message, hint } = thrown.problem
  return new SynapticError(code, message, hint, { cause: thrown })
}
