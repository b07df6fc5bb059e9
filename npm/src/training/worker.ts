/**
 * A training thread of Node.
 */
import { parentPort } from 'node:worker_threads'
import { readBounded, TABLE_BYTES_MAX } from '../files.js'
import { loadFann, loadNeural } from '../wasm.js'
import { serve } from './serve.js'

const port = parentPort
if (port === null) throw new Error('this file runs as a worker thread')

port.on(
  'message',
  serve({
    neural: loadNeural,
    fann: loadFann,
    read: (file) => readBounded(file, TABLE_BYTES_MAX),
    send: (reply) => port.postMessage(reply),
    end: () => process.exit(1),
  }),
)
