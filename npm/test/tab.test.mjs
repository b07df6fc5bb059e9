import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { folderPrefix } from '../dist/demo/browser.js'

// Chromium did not start where the place for temporary files has a long name, as it has on macOS.
test('the directory of a browser has room for the path of a socket', () => {
  const long = '/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T'
  assert.equal(folderPrefix('/tmp', 'linux'), join('/tmp', 'synaptic-mesh-tab-'))
  assert.equal(folderPrefix(long, 'darwin'), join('/tmp', 'synaptic-mesh-tab-'))
  assert.equal(folderPrefix(long, 'win32'), join(long, 'synaptic-mesh-tab-'))
})
