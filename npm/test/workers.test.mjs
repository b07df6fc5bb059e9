import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkerPool } from '../dist/training/workers.js'

/** A pool whose workers answer as the test says; `ends` ends each of them. */
function poolWith(answer) {
  const asked = []
  const ends = []
  const pool = new WorkerPool(1, ({ reply, end }) => {
    ends.push(() => end('a trap'))
    const number = ends.length
    const post = ({ id, operation, argument }) => {
      asked.push(`${number} ${operation} ${argument.id ?? ''}`.trim())
      const error = answer(operation, argument)
      setImmediate(() => reply(error === undefined ? { id, value: {} } : { id, error }))
    }
    return { post, busy: () => undefined, terminate: async () => undefined }
  })
  return { pool, asked, ends }
}

const ERROR = { code: 'no-such-file', message: 'gone', hint: '' }

test('rows are read again by the next worker before anything is asked of it', async () => {
  const { pool, asked, ends } = poolWith(() => undefined)
  await pool.request('run', 'load', { id: 'train' })
  await pool.request('run', 'load', { id: 'test' })
  ends[0]()
  await Promise.all(['update', 'evaluate'].map((what) => pool.request('run', what, { id: 'x' })))
  const again = asked.slice(2)
  assert.deepEqual(again, ['2 load train', '2 load test', '2 update x', '2 evaluate x'])
})

// Rows that could not be read again at the first attempt were never tried another time, and every
// later request was answered by a worker that did not have them.
test('rows that could not be read again are tried again', async () => {
  let missing = false
  const { pool, asked, ends } = poolWith((operation) =>
    missing && operation === 'load' ? ERROR : undefined,
  )
  await pool.request('run', 'load', { id: 'train' })
  ends[0]()
  missing = true
  await assert.rejects(pool.request('run', 'update', { id: 'train' }), { code: 'no-such-file' })
  missing = false
  await pool.request('run', 'update', { id: 'train' })
  assert.deepEqual(asked.slice(1), ['2 load train', '2 load train', '2 update train'])
})
