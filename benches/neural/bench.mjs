// One run of the suite: takes the rows of rows.mjs one after the other and keeps what they gave.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { DIST } from '../../npm/scripts/lib/paths.mjs'
import { say } from '../../npm/scripts/lib/run.mjs'
import { onnxOf } from '../peers/onnx.mjs'
import { downloads } from '../peers/peers.mjs'
import { Cannot } from './cannot.mjs'
import { parameterCount, writeNetwork } from './networks.mjs'
import { inNode } from './process.mjs'
import { alone, beside, cold, idle, median, ratioOf, start } from './rounds.mjs'
import { ROWS } from './rows.mjs'
import { goalText, ratioText, units } from './table.mjs'

/** Odd, so that the median is a round that was. */
const ROUNDS = 7
/** Processes are started anew for each of these, so they are fewer. */
const PROCESS_ROUNDS = 3
const SEEDS = [1, 2, 3]

const OURS = { command: inNode('./engine.mjs') }
const BUILT_IN = new Map([['wasm mul+add peak', { command: inNode('./peak.mjs'), silent: true }]])

export class Bench {
  /** What table.mjs prints. */
  rows = []
  /** Whether ours did what it must not, or anyone's outputs were wrong. */
  failed = false

  /**
   * @param {{ only?: string, rounds?: number, check?: boolean }} options
   * @param {Map<string, { command?: string[], missing?: string }>} peers those to measure
   * @param {string} folder where networks are written
   */
  constructor(options, peers, folder) {
    Object.assign(this, { options, folder, peers: new Map([...BUILT_IN, ...peers]) })
  }

  async run() {
    const { timed, idle, cold, size } = ROWS
    for (const row of timed) await this.#section(row.title, () => this.#timed(row))
    if (this.options.check) return
    await this.#section(idle.memory.title, () => this.#idle(idle))
    await this.#section(cold.title, () => this.#cold(cold))
    await this.#section(size.artifact.title, () => this.#size(size))
  }

  /** What ours cannot do, or fails at, is a row, and the next section goes on. */
  async #section(title, measure) {
    if (!title.includes(this.options.only ?? '')) return
    try {
      await measure()
    } catch (thrown) {
      this.#addNote(title, undefined, thrown)
    }
  }

  async #timed(row) {
    const { title, network, rows } = row
    const given = this.#write(network, rows)
    const ours = await this.#startOurs(title, given)
    try {
      if (ours && !this.options.check) await this.#ownFigure(row, ours)
      // What ours cannot do yet is worth no time, but whether peers are ready can be checked.
      if (ours || this.options.check) {
        await this.#withPeers(title, Object.keys(row.peers), given, (peer, name) =>
          this.#pairs(row, ours, peer, name),
        )
      }
      if (ours && row.accuracy && !this.options.check) await this.#accuracy(row, ours, given)
    } finally {
      ours?.stop()
    }
  }

  async #startOurs(work, { folder, expected }) {
    try {
      const { engine, error } = await start(OURS, folder, expected)
      if (this.options.check) this.#add({ work, ours: error.toExponential(1) })
      return engine
    } catch (thrown) {
      this.#addNote(work, undefined, thrown)
      return null
    }
  }

  async #ownFigure(row, ours) {
    const { title, divisor = 1, goal } = row
    const value = median(await alone(ours, this.#plan(row))) / divisor
    this.#addOwn({ work: title, value, unit: units.microseconds, goal })
  }

  async #pairs(row, ours, peer, name) {
    const { title, divisor = 1, peers } = row
    const scaled = (value) => units.microseconds(value / divisor)
    const pairs = await beside(ours, peer, this.#plan(row))
    this.#addPairs({ work: title, peer: name, pairs, unit: scaled, goal: peers[name] })
  }

  #plan({ what = 'run', rounds = ROUNDS }) {
    return { what, rounds: Math.min(rounds, this.options.rounds ?? rounds) }
  }

  async #accuracy({ accuracy: { title, epochs, goal }, peers }, ours, given) {
    const trained = async (engine) => {
      const shares = []
      for (const seed of SEEDS) shares.push(Number(await engine.ask('accuracy', seed, epochs)))
      return median(shares)
    }
    const value = await trained(ours)
    this.#addOwn({ work: title, value, unit: units.share, goal, atLeast: true })
    await this.#withPeers(title, Object.keys(peers), given, async (peer, name) => {
      const theirs = units.share(await trained(peer))
      this.#add({ work: title, ours: units.share(value), peer: name, theirs })
    })
  }

  async #idle({ network, count, memory, creation, peers }) {
    const { folder } = this.#write(network, 1)
    const parameters = parameterCount(network) * Float32Array.BYTES_PER_ELEMENT
    const kinds = [
      { ...memory, of: ({ bytes }) => bytes / parameters, unit: units.times },
      { ...creation, of: ({ microseconds }) => microseconds, unit: units.microseconds },
    ]
    const own = []
    for (const _ of this.#processRounds()) own.push(await idle(OURS, folder, count))
    for (const { title: work, goal, of, unit } of kinds)
      this.#addOwn({ work, value: median(own.map(of)), unit, goal })
    await this.#withCommands(memory.title, peers, async (peer, name) => {
      const pairs = []
      for (const _ of this.#processRounds()) {
        const ours = await idle(OURS, folder, count)
        pairs.push({ ours, theirs: await idle(peer, folder, count) })
      }
      for (const { title: work, of, unit } of kinds) {
        const both = pairs.map(({ ours, theirs }) => ({ ours: of(ours), theirs: of(theirs) }))
        this.#addPairs({ work, peer: name, pairs: both, unit })
      }
    })
  }

  async #cold({ title: work, network, goal, peers }) {
    const { folder } = this.#write(network, 1)
    const above = (contestant) => cold(contestant, folder) - cold(null, folder)
    const unit = units.milliseconds
    const own = this.#processRounds().map(() => above(OURS))
    this.#addOwn({ work, value: median(own), unit, goal })
    await this.#withCommands(work, peers, async (peer, name) => {
      const pairs = this.#processRounds().map(() => ({ ours: above(OURS), theirs: above(peer) }))
      this.#addPairs({ work, peer: name, pairs, unit })
    })
  }

  #size({ artifact, whole }) {
    const packed = (files) =>
      files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0)
    const wasm = join(DIST, 'wasm', 'neural_bg.wasm')
    const unit = units.bytes
    this.#addOwn({ work: artifact.title, value: packed([wasm]), unit, goal: artifact.goal })
    const ours = packed([wasm, join(DIST, 'wasm', 'neural.js')])
    this.#addOwn({ work: whole.title, value: ours, unit })
    for (const { name, files } of downloads().filter((one) => this.peers.has(one.name))) {
      const pairs = [{ ours, theirs: packed(files) }]
      this.#addPairs({ work: whole.title, peer: name, pairs, unit })
    }
  }

  #processRounds() {
    return Array.from({ length: Math.min(PROCESS_ROUNDS, this.options.rounds ?? PROCESS_ROUNDS) })
  }

  #write(network, rows) {
    const folder = join(this.folder, `${network}-${rows}`)
    const { expected, written } = writeNetwork(network, rows, folder)
    if (this.peers.has('tract') && written.count === 1)
      writeFileSync(join(folder, 'model.onnx'), onnxOf(written))
    return { folder, expected }
  }

  /** The peers of a row, started on its network, each handed to `measure`. */
  async #withPeers(work, names, { folder, expected }, measure) {
    await this.#withCommands(work, names, async (peer, name) => {
      const { engine, error } = await start(peer, folder, expected)
      try {
        if (!this.options.check) await measure(engine, name)
        else if (!peer.silent) this.#add({ work, peer: name, theirs: error.toExponential(1) })
      } finally {
        engine.stop()
      }
    })
  }

  /** The peers of a row that this run knows; of one that is missing or fails a row says so. */
  async #withCommands(work, names, measure) {
    for (const name of names.filter((one) => this.peers.has(one))) {
      const peer = this.peers.get(name)
      if (peer.missing) this.#add({ work, peer: name, note: `not measured: ${peer.missing}` })
      else await measure(peer, name).catch((thrown) => this.#addNote(work, name, thrown))
    }
  }

  #addOwn({ work, value, unit, goal, atLeast }) {
    this.#add({ work, ours: unit(value), goal: goalText(value, goal, { atLeast, unit }) })
  }

  #addPairs({ work, peer, pairs, unit, goal }) {
    const ratio = ratioOf(pairs)
    const figure = (who) => unit(median(pairs.map((pair) => pair[who])))
    this.#add({
      ...{ work, ours: figure('ours'), peer, theirs: figure('theirs'), ratio: ratioText(ratio) },
      goal: goalText(ratio.median, goal, { atLeast: true }),
    })
  }

  #addNote(work, peer, thrown) {
    const cannot = thrown instanceof Cannot
    if (!cannot && (!peer || thrown.message.startsWith('its outputs'))) this.failed = true
    this.#add({ work, peer, note: cannot ? thrown.message : `error: ${thrown.message}` })
  }

  #add(row) {
    this.rows.push(row)
    say(`bench: ${Object.values(row).filter(Boolean).join('  ')}`)
  }
}
