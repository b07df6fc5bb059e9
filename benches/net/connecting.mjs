/** How long newcomers take, and what one costs who is called, beside js-libp2p and beside noise. */
import { median, row } from './figures.mjs'
import { Process, turns } from './processes.mjs'

async function dials(program, count) {
  const called = new Process(program, 'listen')
  const { address, network } = await called.next()
  // The first one compiles what the others use.
  await dialled(program, address, 1, network)
  const before = await called.cost()
  const times = await dialled(program, address, count, network)
  const after = await called.cost()
  called.end()
  return { ms: median(times), cpuMs: (after.cpuMs - before.cpuMs) / count }
}

async function dialled(program, address, count, network) {
  const caller = new Process(program, 'dial', address, count, network ?? '')
  const { times } = await caller.next()
  caller.end()
  // Its first one compiles too.
  return count > 1 ? times.slice(1) : times
}

/** The rows. @param {{ turns: number, dials: number }} size */
export async function connecting({ turns: count, dials: each }) {
  const { ours, js } = await turns(count, (program) => dials(program, each))
  const of = (figure) => ({ ours: ours.map(figure), theirs: js.map(figure) })
  return [
    row({
      what: 'Node to Node: dialled, secured, and each knows who the other is, p50',
      unit: 'ms',
      ...of(({ ms }) => ms),
      goal: 100,
      beats: true,
    }),
    row({
      what: 'processor time of who is called, per newcomer',
      unit: 'ms',
      ...of(({ cpuMs }) => cpuMs),
    }),
  ]
}

/** What one costs a node of ours that calls by noise and says no hello: a js-libp2p. */
async function byNoise(count) {
  const called = new Process('ours', 'listen', 'allow')
  const { address } = await called.next()
  await dialled('js', address, 1)
  const before = await called.cost()
  await dialled('js', address, count)
  const after = await called.cost()
  called.end()
  return (after.cpuMs - before.cpuMs) / count
}

/**
 * What the hybrid handshake costs beyond noise's in wasm, from above: the hello, which has checks
 * of three signatures, is in it, as a node that is not said hello to is no peer.
 */
export async function handshaking({ turns: count, dials: each }) {
  const ours = []
  for (let turn = 0; turn < count; turn += 1) {
    const { cpuMs } = await dials('ours', each)
    ours.push(cpuMs - (await byNoise(each)))
  }
  const what = 'hybrid channel and hello, beyond noise: processor time of who is called'
  return [row({ what, unit: 'ms', ours, goal: 5, isBound: true })]
}
