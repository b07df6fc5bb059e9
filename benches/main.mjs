#!/usr/bin/env node
// `npm run bench`: the package as a whole (mesh.mjs). `npm run bench -- neural` measures the neural
// engine alone, `npm run bench -- --peers` beside its peers (neural.mjs).

const neural = process.argv.slice(2).some((word) => word === 'neural' || word.startsWith('--'))
await import(neural ? './neural.mjs' : './mesh.mjs')
