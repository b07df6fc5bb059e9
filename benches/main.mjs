#!/usr/bin/env node
// `npm run bench`: the package as a whole (mesh.mjs). `npm run bench:net` measures the network
// (net.mjs), `npm run bench -- neural` the neural engine alone, `npm run bench -- --peers` beside
// its peers (neural.mjs).

const words = process.argv.slice(2)
const tables = {
  './net.mjs': words.includes('net'),
  './neural.mjs': words.some((word) => word === 'neural' || word.startsWith('--')),
  './mesh.mjs': true,
}
await import(Object.keys(tables).find((table) => tables[table]))
