#!/usr/bin/env node
// `npm run bench`: the package as a whole (mesh.mjs). `npm run bench -- net` measures the network
// (net.mjs), `npm run bench -- neural` the neural engine alone, `npm run bench -- --peers` beside its
// peers (neural.mjs).

const words = process.argv.slice(2)
const neural = words.some((word) => word === 'neural' || word.startsWith('--'))
const table = words.includes('net') ? './net.mjs' : './mesh.mjs'
await import(neural ? './neural.mjs' : table)
