/**
 * Machines on one network, each a network namespace on a bridge that is in one of its own. Their
 * links can lose what rules of nftables say, be narrow (`tc tbf`), be long (`wire.py`: many kernels
 * have no `netem`) and be cut, and routers hide machines behind an address of theirs. Needs root
 * and iproute2, and for some of it nftables and Python.
 */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { data, PACKAGE, scratch, TestNode } from './cli.mjs'

const CLI = join(PACKAGE, 'bin', 'cli.mjs')
/** Where all machines of a bridge are, unless told otherwise: addresses of a home or an office. */
const SUBNET = '10.77.0'
/** Addresses that are nobody's and count as public: those of examples (RFC 5737). */
export const PUBLIC = '203.0.113'
const WIRE = fileURLToPath(new URL('wire.py', import.meta.url))
/** Python starts in a tenth of a second. */
const WIRE_MS_MAX = 20_000
/** Name of the filters of this module. */
const TABLE = 'faults'

/** What a router does with what its machine sends, and with what comes for it uncalled. */
const ROUTERS = {
  // One port outside for one inside, whoever is called, and everybody may call there.
  'full-cone': {
    outward: 'oifname "eth0" masquerade persistent',
    inward: 'iifname "eth0" dnat to INSIDE',
    own: 'accept',
    forward: 'accept',
  },
  // One port outside for one inside, whoever is called, and only who was called may answer.
  'port-restricted': {
    outward: 'oifname "eth0" masquerade persistent',
    inward: 'accept',
    own: 'iifname "eth0" ct state new drop',
    forward: 'iifname "eth0" ct state new drop',
  },
  // Another port for each that is called, and only that one may answer.
  symmetric: {
    outward: 'oifname "eth0" masquerade fully-random',
    inward: 'accept',
    own: 'iifname "eth0" ct state new drop',
    forward: 'iifname "eth0" ct state new drop',
  },
}

const execFileLater = promisify(execFile)

let networks = 0

function tool(program, args, input = '') {
  const stdio = ['pipe', 'pipe', 'pipe']
  return execFileSync(program, args, { input, stdio, encoding: 'utf8' })
}

/** What this machine does not have or allow; any other failure is one of the test's own. */
function lacking(error) {
  if (error.code === 'ENOENT') return `${error.path} is not installed`
  const refused = /.*(not permitted|denied|not supported|Unknown device type).*/i.exec(error.stderr)
  if (refused === null) throw error
  return `no machines as network namespaces: ${refused[0].trim()}`
}

/** A bridge and what is on it. */
export class Lan {
  /** Why there is no such network here; `undefined` if there is. */
  missing
  #prefix
  #subnet
  #machines = new Map()
  #spaces = []
  #wires = []

  /**
   * Makes the machines; where that cannot be done, `missing` says why.
   *
   * @param names the machines; the first is `subnet`.1
   * @param behind which of them are behind a router of their own, of a kind of ROUTERS
   * @param longMs which of them are at the end of a long wire, and how many milliseconds it takes
   * @param needs programs that the tests need besides `ip`
   * @param subnet the first three numbers of all addresses
   */
  constructor(names, { behind = {}, longMs = {}, needs = [], subnet = SUBNET } = {}) {
    networks += 1
    this.#subnet = subnet
    this.#prefix = `synaptic-${process.pid}-${networks}-`
    after(() => this.#remove())
    try {
      for (const program of needs) tool(program, ['-V'])
      this.#space('bridge')
      this.#ip('bridge', 'link', 'add', 'br0', 'type', 'bridge')
      this.#ip('bridge', 'link', 'set', 'br0', 'up')
      names.forEach((name, at) => {
        const address = `${subnet}.${at + 1}`
        if (behind[name] !== undefined) this.#hide(name, `port${at}`, address, behind[name])
        else this.#attach(name, `port${at}`, address, longMs[name])
      })
    } catch (error) {
      this.missing = lacking(error)
    }
  }

  /** The address of a machine: behind a router its own, which nobody else can call. */
  address(name) {
    return this.#machines.get(name).address
  }

  /** How a command is run on a machine. */
  on(name) {
    return ['ip', 'netns', 'exec', this.#prefix + name]
  }

  /** Runs a command on a machine to its end; what it said. */
  run(name, ...command) {
    const [program, ...args] = [...this.on(name), ...command]
    return tool(program, args)
  }

  /** What arrives at a machine is dropped where this rule of nftables fits it. */
  drop(name, rule) {
    this.#filter(name, `chain in { type filter hook input priority 0; ${rule} counter drop; }`)
  }

  /** Nothing is dropped any more; the packets that were until then (count). */
  pass(name) {
    const listed = this.run(name, 'nft', 'list', 'table', 'ip', TABLE)
    this.run(name, 'nft', 'delete', 'table', 'ip', TABLE)
    return Number(/counter packets (\d+)/.exec(listed)[1])
  }

  /** What arrives at a machine comes at this rate, as `tc` writes it. */
  narrow(name, rate) {
    const { port } = this.#machines.get(name)
    const queue = ['rate', rate, 'burst', '16kb', 'latency', '500ms']
    this.run('bridge', 'tc', 'qdisc', 'replace', 'dev', port, 'root', 'tbf', ...queue)
  }

  /** It comes as fast as it can again. */
  widen(name) {
    const { port } = this.#machines.get(name)
    this.run('bridge', 'tc', 'qdisc', 'del', 'dev', port, 'root')
  }

  /** The machine is off the network without a word, as one that lost its power. */
  cut(name) {
    this.#ip('bridge', 'link', 'set', this.#machines.get(name).port, 'down')
  }

  /** It is on the network again. */
  mend(name) {
    this.#ip('bridge', 'link', 'set', this.#machines.get(name).port, 'up')
  }

  /** Another address instead of the one it has, as on another network. */
  move(name, last) {
    const machine = this.#machines.get(name)
    this.#ip(name, 'addr', 'flush', 'dev', 'eth0')
    machine.address = `${this.#subnet}.${last}`
    this.#ip(name, 'addr', 'add', `${machine.address}/24`, 'dev', 'eth0')
    this.#ip(name, 'route', 'add', 'default', 'via', this.#nowhere)
  }

  /** Nobody: packets to other networks end there. */
  get #nowhere() {
    return `${this.#subnet}.254`
  }

  #space(name) {
    tool('ip', ['netns', 'add', this.#prefix + name])
    this.#spaces.push(this.#prefix + name)
    this.#ip(name, 'link', 'set', 'lo', 'up')
  }

  #ip(name, ...args) {
    tool('ip', ['-n', this.#prefix + name, ...args])
  }

  #filter(name, chain) {
    const [program, ...args] = [...this.on(name), 'nft', '-f', '-']
    tool(program, args, `table ip ${TABLE} {\n${chain}\n}\n`)
  }

  #attach(name, port, address, longMs) {
    this.#space(name)
    if (longMs === undefined) {
      const ends = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#prefix + name]
      this.#ip('bridge', 'link', 'add', port, ...ends)
    } else {
      this.#wire(longMs, name, 'eth0', 'bridge', port)
    }
    this.#ip('bridge', 'link', 'set', port, 'master', 'br0', 'up')
    this.#ip(name, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    this.#ip(name, 'link', 'set', 'eth0', 'up')
    this.#ip(name, 'route', 'add', 'default', 'via', this.#nowhere)
    this.#machines.set(name, { port, address })
  }

  /** A wire that takes time; it is there when its process says so. */
  #wire(ms, name, device, other, otherDevice) {
    const ends = [this.#prefix + name, device, this.#prefix + other, otherDevice]
    const said = join(scratch(), 'wire')
    const out = openSync(said, 'w')
    const stdio = ['ignore', out, 'inherit']
    const wire = spawn('python3', [WIRE, String(ms), ...ends], { stdio })
    this.#wires.push(wire)
    closeSync(out)
    const deadline = performance.now() + WIRE_MS_MAX
    while (readFileSync(said, 'utf8') === '') {
      if (performance.now() > deadline) throw new Error('no long wire: see what Python said')
      tool('sleep', ['0.05'])
    }
  }

  /** A machine on a network of its own, and a router between that and the bridge. */
  #hide(name, port, address, kind) {
    const router = `${name}-router`
    this.#attach(router, port, address)
    this.#space(name)
    const [inside, gateway] = [address.replace(this.#subnet, '10.78.0'), '10.78.0.254']
    const ends = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#prefix + name]
    this.#ip(router, 'link', 'add', 'inner', ...ends)
    this.#ip(router, 'addr', 'add', `${gateway}/24`, 'dev', 'inner')
    this.#ip(router, 'link', 'set', 'inner', 'up')
    this.#ip(name, 'addr', 'add', `${inside}/24`, 'dev', 'eth0')
    this.#ip(name, 'link', 'set', 'eth0', 'up')
    this.#ip(name, 'route', 'add', 'default', 'via', gateway)
    this.run(router, 'sysctl', '-q', '-w', 'net.ipv4.ip_forward=1')
    const { outward, inward, own, forward } = ROUTERS[kind]
    const rules = [
      `chain out { type nat hook postrouting priority 100; ${outward}; }`,
      `chain in { type nat hook prerouting priority -100; ${inward.replace('INSIDE', inside)}; }`,
      `chain own { type filter hook input priority 0; ${own}; }`,
      `chain through { type filter hook forward priority 0; ${forward}; }`,
    ]
    this.#filter(router, rules.join('\n'))
    this.#machines.set(name, { port, address: inside })
  }

  #remove() {
    for (const wire of this.#wires) wire.kill('SIGKILL')
    for (const space of this.#spaces) tool('ip', ['netns', 'del', space])
  }
}

/** Asks a server on the machine that runs it; what it answered is the output. */
const ASK = `fetch(process.argv[1], JSON.parse(process.argv[2]))
  .then((response) => response.text())
  .then((text) => process.stdout.write(text))`

/** A node on a machine whose ports cannot be called from here. */
export class MachineNode extends TestNode {
  async fetched(url, init) {
    const [program, ...first] = this.on
    const args = [...first, process.execPath, '-e', ASK, url, JSON.stringify(init)]
    return JSON.parse((await execFileLater(program, args)).stdout)
  }

  /** How it is called by others: `place` of its machine and its peer id. */
  address(place) {
    return this.ready.addresses.find((address) => address.includes(`/${place}/`))
  }
}

/** A node on one of the machines; `settings` are set before it starts, `link` is joined. */
export async function nodeOn(lan, machine, { settings = {}, link, place = scratch() } = {}) {
  const join = link === undefined ? [] : ['--join', link]
  await data(['init', '--home', place, ...join], { cwd: place })
  for (const [key, value] of Object.entries(settings)) {
    await data(['config', 'set', key, value, '--home', place], { cwd: place })
  }
  const on = lan.on(machine)
  const command = [...on, process.execPath, CLI]
  const node = await MachineNode.start(place, ['--host', '0.0.0.0', ...join], { command })
  return Object.assign(node, { on, machine })
}
