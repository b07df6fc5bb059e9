/**
 * Nodes for `npm run bench -- net`, from the package that `SYNAPTIC_PACKAGE` names.
 *
 * `ours.mjs listen` says its address, network and join link, and for each line of stdin what it has
 * cost so far. `ours.mjs dial ADDRESS COUNT NETWORK` says how long each of so many new nodes took
 * until it had dialled and each knew who the other is (milliseconds). `ours.mjs stay` is the same,
 * but they stay, and it says when all are there.
 */
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const entry = pathToFileURL(join(process.env.SYNAPTIC_PACKAGE, 'node.mjs')).href
const { createNode } = await import(entry)
const [role, address, count, network] = process.argv.slice(2)
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const lines = () => createInterface({ input: process.stdin })

async function listen() {
  const node = await createNode()
  say({ address: node.addresses[0], network: node.network, join: node.joinLink })
  for await (const _ of lines()) {
    say({ cpu: process.cpuUsage(), rss: process.memoryUsage().rss })
  }
}

async function dial() {
  const nodes = []
  const times = []
  for (let n = 0; n < Number(count); n += 1) {
    const node = await createNode({ network })
    const begun = performance.now()
    await node.connect(address)
    times.push(performance.now() - begun)
    if (role === 'stay') nodes.push(node)
    else await node.stop()
  }
  say({ times })
  if (role === 'stay') for await (const _ of lines()) break
}

await (role === 'listen' ? listen() : dial())
process.exit()
