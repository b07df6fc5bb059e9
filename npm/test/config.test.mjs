import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Config, configSchema, readConfigFile, updateConfigFile } from '../dist/config.js'
import { homeAt, resolveHome } from '../dist/home.js'

const root = mkdtempSync(join(tmpdir(), 'config-test-'))
after(() => rmSync(root, { recursive: true }))

const around = (env = {}) => ({ env, cwd: root, userHome: join(root, 'user'), platform: 'linux' })

/** A home with settings, and settings of the user beside it. */
function homeWith(project, user) {
  const place = mkdtempSync(join(root, 'case-'))
  const home = homeAt(place, 'flag')
  writeFileSync(home.configFile, JSON.stringify(project))
  const directory = join(place, 'xdg', 'synaptic-mesh')
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'config.json'), JSON.stringify(user))
  return { home, env: { XDG_CONFIG_HOME: join(place, 'xdg') } }
}

test('flag beats environment beats project beats user beats default', () => {
  const { home, env } = homeWith({ 'listen.port': 3 }, { 'listen.port': 4, name: 'of the user' })
  const all = Config.load(home, around({ ...env, SYNAPTIC_PORT: '2' }), { 'listen.port': 1 })
  assert.deepEqual(all.resolve('listen.port'), { key: 'listen.port', value: 1, origin: 'flag' })
  const noFlag = Config.load(home, around({ ...env, SYNAPTIC_PORT: '2' }))
  assert.deepEqual(noFlag.resolve('listen.port').origin, 'env')
  assert.equal(noFlag.get('listen.port'), 2)
  const files = Config.load(home, around(env))
  assert.deepEqual(files.resolve('listen.port'), {
    key: 'listen.port',
    value: 3,
    origin: 'project',
  })
  assert.equal(files.resolve('name').origin, 'user')
  assert.deepEqual(files.resolve('storage'), { key: 'storage', value: 'sqlite', origin: 'default' })
})

test('a wrong value names the file, the setting and what it should be', () => {
  const { home, env } = homeWith({ 'listen.port': 70_000 }, {})
  assert.throws(() => Config.load(home, around(env)), {
    code: 'bad-config',
    message: /config\.json: listen\.port must be a whole number from 0 to 65535, not 70000/,
  })
})

test('a wrong value on the command line is a usage error that names the option', () => {
  const { home, env } = homeWith({}, {})
  assert.throws(() => Config.load(home, around(env), { network: 'abc' }), {
    code: 'usage',
    message: /^--network must be/,
  })
})

test('an unknown setting is refused, with the list of those there are', () => {
  const { home, env } = homeWith({ 'listen.prot': 1 }, {})
  assert.throws(() => Config.load(home, around(env)), { code: 'usage', hint: /listen\.port/ })
})

test('a file that is no JSON is named', () => {
  const file = join(root, 'broken.json')
  writeFileSync(file, '{')
  assert.throws(() => readConfigFile(file), {
    code: 'bad-config',
    message: /broken\.json is not JSON/,
  })
})

test('changing one setting keeps the others and the schema', () => {
  const file = join(root, 'kept.json')
  updateConfigFile(file, { name: 'a', 'listen.port': 1 })
  updateConfigFile(file, { name: 'b' })
  assert.deepEqual(readConfigFile(file), { name: 'b', 'listen.port': 1 })
  assert.match(configSchema(), /"listen\.port"/)
})

test('home: flag, environment, project, user', () => {
  const env = { SYNAPTIC_HOME: 'from-env', XDG_DATA_HOME: '/data', XDG_STATE_HOME: 'relative' }
  assert.equal(resolveHome('x', around(env)).directory, join(root, 'x'))
  assert.equal(resolveHome(undefined, around(env)).directory, join(root, 'from-env'))
  const user = resolveHome(undefined, around({ ...env, SYNAPTIC_HOME: '' }))
  assert.equal(user.directory, '/data/synaptic-mesh')
  assert.equal(user.controlFile, join(root, 'user/.local/state/synaptic-mesh/control.json'))
  mkdirSync(join(root, '.synaptic'))
  writeFileSync(join(root, '.synaptic', 'identity.key'), '')
  assert.equal(resolveHome(undefined, around({})).origin, 'project')
  rmSync(join(root, '.synaptic'), { recursive: true })
})
