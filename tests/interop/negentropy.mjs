// The reference implementation of negentropy, driven line by line by tests/negentropy_interop.rs:
//
//   set,SLOT,FRAME,TIME:ID TIME:ID ...   a sealed set and its limit on frames     -> ok
//   initiate,SLOT                        its first message                        -> MESSAGE;;
//   msg,SLOT,MESSAGE                     what it makes of one      -> MESSAGE|done;HAVE ...;NEED ...
//
// It is hoytech/negentropy's js/Negentropy.js, which no package carries under its own name;
// `@welshman/net` ships it, formatted anew and otherwise unchanged.

import { createInterface } from 'node:readline'

// It takes its SHA-256 from Web Crypto where there is a window, and else by `require`.
globalThis.window = globalThis
const place = './reference/node_modules/@welshman/net/dist/net/src/negentropy.js'
const { Negentropy, NegentropyStorageVector } = await import(new URL(place, import.meta.url))

const slots = new Map()

const commands = {
  set(slot, frame, items) {
    const storage = new NegentropyStorageVector()
    for (const item of items.split(' ').filter(Boolean)) {
      const [time, id] = item.split(':')
      storage.insert(Number(time), id)
    }
    storage.seal()
    slots.set(slot, new Negentropy(storage, Number(frame)))
    return 'ok'
  },
  async initiate(slot) {
    return `${await slots.get(slot).initiate()};;`
  },
  async msg(slot, message) {
    const [next, have, need] = await slots.get(slot).reconcile(message)
    return `${next ?? 'done'};${have.join(' ')};${need.join(' ')}`
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...rest] = line.split(',')
  console.log(await commands[name](...rest))
}
