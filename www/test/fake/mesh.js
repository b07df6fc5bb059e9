/**
 * A stand-in for the `mesh` artifact, for tests of the page only: a node that "meets" three peers
 * while the serving process answers, and one run whose rounds follow this member's updates. What it
 * must remember over a reload it keeps in IndexedDB under the name the page gives it.
 */
import { Dataset, trainUpdate } from './neural.js'

export default async function init() {}

const FEATURES = 64
const CLASSES = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
const PARAMETERS = (FEATURES + 1) * CLASSES.length
const PEERS = ['kq3vbn', 'r7xw2a', 'zt5mdp'].map((head) => head.padEnd(52, 'a'))

export function generateSecrets() {
  return crypto.getRandomValues(new Uint8Array(128))
}

export function inspectSecrets(secrets) {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
  const text = Array.from(secrets.slice(0, 52), (byte) => alphabet[byte & 31]).join('')
  return { nodeId: text, peerId: text }
}

export class MeshNode {
  static async create({ network, secrets, storage }) {
    const node = new MeshNode()
    node.nodeId = inspectSecrets(secrets).nodeId
    node.network = network
    node.store = await openStore(storage.name)
    const kept = await node.store.get()
    Object.assign(node, {
      events: [],
      waiting: null,
      peers: [],
      job: 0,
      jobs: new Map(),
      contributing: kept?.contributing ?? false,
      round: kept?.round ?? 0,
      weights: kept?.weights ?? new Float32Array(PARAMETERS),
      vertices: 12,
    })
    node.push({ type: 'ready', addresses: [] })
    node.timer = setInterval(() => node.look(), 250)
    node.look()
    return node
  }

  async look() {
    const up = await fetch('/fake/alive').then(
      (response) => response.ok,
      () => false,
    )
    if (up && this.peers.length === 0) {
      this.peers = PEERS.map((id, at) => ({
        id,
        transport: 'ws',
        path: 'direct',
        rttMs: at + 0.4,
      }))
      for (const { id, transport } of this.peers)
        this.push({ type: 'peer', id, transport, state: 'connected' })
    }
    if (!up && this.peers.length > 0) {
      for (const { id, transport } of this.peers) {
        this.push({
          type: 'peer',
          id,
          transport,
          state: 'disconnected',
          reason: 'connection closed',
        })
      }
      this.peers = []
    }
  }

  view() {
    const finished = this.round >= 20
    return {
      run: 'bafyreifakerun',
      name: 'digits',
      state: finished ? 'finished' : 'running',
      round: this.round,
      rounds: 20,
      members: [...PEERS, ...(this.contributing ? [this.nodeId] : [])],
      contributing: this.contributing,
      weightsCid: null,
      specification: {
        inputs: FEATURES,
        layers: [{ units: CLASSES.length, activation: 'softmax' }],
        loss: 'cross-entropy',
      },
      classes: CLASSES,
      scaling: {
        offset: new Float32Array(FEATURES).fill(8),
        scale: new Float32Array(FEATURES).fill(1 / 6),
      },
      epochs: 1,
      batch: 32,
      learningRate: 0.05,
      momentum: 0.9,
    }
  }

  async status() {
    const bytes = PARAMETERS * 4 * (this.round + 1)
    return {
      running: true,
      nodeId: this.nodeId,
      network: this.network,
      peers: this.peers,
      counters: {},
      vertices: this.vertices,
      blobs: { count: this.round + 1, bytes },
      runs: this.met || this.peers.length > 0 ? [this.view()] : [],
      storage: { kind: 'indexeddb', bytes: bytes + 40_000 },
    }
  }

  async joinRun(_, { samples }) {
    this.contributing = true
    this.samples = samples
    this.push({ type: 'run', run: 'bafyreifakerun', name: 'digits', state: 'joined' })
    this.ask()
    return this.view()
  }

  async leaveRun() {
    this.contributing = false
  }

  async runs() {
    return [this.view()]
  }

  async runModel() {
    const { run, name, specification, classes, scaling } = this.view()
    return {
      run,
      name,
      round: this.round,
      weights: new Uint8Array(this.weights.slice().buffer),
      specification,
      classes,
      scaling,
    }
  }

  ask() {
    if (!this.contributing || this.round >= 20 || this.peers.length === 0) return
    const { specification, epochs, batch, learningRate, momentum } = this.view()
    this.job += 1
    this.push({
      type: 'train',
      job: this.job,
      run: 'bafyreifakerun',
      round: this.round + 1,
      seed: 7n,
      epochs,
      batch,
      learningRate,
      momentum,
      specification,
      baseWeights: new Uint8Array(this.weights.slice().buffer),
    })
  }

  trained(_, result) {
    if (result.error !== undefined) return
    const delta = new Float32Array(result.delta.slice().buffer)
    const run = 'bafyreifakerun'
    const round = this.round + 1
    this.push({ type: 'update', run, round, author: this.nodeId, samples: result.samples })
    setTimeout(async () => {
      const others = await this.others()
      this.weights = this.weights.map((value, at) => value + 0.25 * delta[at] + 0.75 * others[at])
      this.round = round
      this.vertices += 5
      await this.store.put({ round, weights: this.weights, contributing: true })
      const contributors = [...PEERS, this.nodeId]
      this.push({
        type: 'round',
        run,
        name: 'digits',
        round,
        rounds: 20,
        updates: 4,
        contributors,
        weightsCid: `b${round}`,
      })
      if (round === 20) this.push({ type: 'run', run, name: 'digits', state: 'finished' })
      this.ask()
    }, 120)
  }

  /** What everybody else's rows say: the tests' whole table stands in for them. */
  async others() {
    const { classes, scaling, specification } = this.view()
    this.table ??= fetch('/fake/rows').then(
      (response) => response.bytes?.() ?? response.arrayBuffer(),
    )
    const csv = new Uint8Array(await this.table)
    if (csv.length === 0) return new Float32Array(PARAMETERS)
    const data = Dataset.parse(csv, { classes }).standardise(scaling)
    const base = new Uint8Array(this.weights.slice().buffer)
    const { delta } = trainUpdate(specification, base, data, { epochs: 1, learningRate: 0.01 })
    return new Float32Array(delta.slice().buffer)
  }

  push(event) {
    if (this.waiting === null) return void this.events.push(event)
    this.waiting(event)
    this.waiting = null
  }

  nextEvent() {
    if (this.events.length > 0) return Promise.resolve(this.events.shift())
    return new Promise((resolve) => {
      this.waiting = resolve
    })
  }

  async stop() {
    clearInterval(this.timer)
    this.push({ type: 'stopped' })
  }
}

async function openStore(name) {
  const request = indexedDB.open(name, 1)
  request.onupgradeneeded = () => request.result.createObjectStore('kept')
  const done = (asked) =>
    new Promise((resolve, reject) => {
      asked.onsuccess = () => resolve(asked.result)
      asked.onerror = () => reject(asked.error)
    })
  const database = await done(request)
  const table = (mode) => database.transaction('kept', mode).objectStore('kept')
  return {
    get: () => done(table('readonly').get('state')),
    put: (state) => done(table('readwrite').put(state, 'state')),
  }
}
