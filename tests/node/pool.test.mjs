// Training threads as a program sees them that has nothing else to do.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { PACKAGE, scratch } from './cli.mjs'

// An answer that had come just before the end let go of the thread again: a program that waited for
// nothing else ended with code 13, in the middle of `await`.
test('the end of the threads is waited for, also when an answer comes in between', () => {
  const pool = pathToFileURL(join(PACKAGE, 'lib/training/pool.js')).href
  const file = join(scratch(), 'main.mjs')
  writeFileSync(
    file,
    `import { TrainingPool } from '${pool}'
    const pool = new TrainingPool(1)
    const ask = () => pool.request('rows', 'inspect', {
      source: { bytes: new TextEncoder().encode('0,1,a\\n1,0,b\\n') },
      parse: {},
      scaling: { kind: 'none' },
    })
    await ask()
    ask().catch(() => undefined)
    await new Promise((resolve) => setImmediate(resolve))
    const until = Date.now() + 500
    while (Date.now() < until);
    await pool.close()
    console.log('closed')`,
  )
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' })
  assert.deepEqual([status, stdout], [0, 'closed\n'], stderr)
})
