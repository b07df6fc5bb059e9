// Children: run one, show what it says or keep it for the error, fail with the command's name.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { childEnvironment, ROOT } from './paths.mjs'

const HEAD_LINES = 10
const TAIL_LINES = 30

/** A failure a person can act on: what is missing, and the command that gets it. */
export class Missing extends Error {
  constructor(what, command) {
    super(`${what}\n    get it with:  ${command}`)
    this.name = 'Missing'
  }
}

export class CommandFailed extends Error {
  constructor(command, status, output) {
    super(`\`${command}\` ended with ${status}\n${output}`)
    this.name = 'CommandFailed'
  }
}

const describe = (command, args) => [command, ...args].join(' ')

/**
 * Runs a command to its end and returns all it printed.
 * With `show` its output goes to stderr as it comes; without, the last lines go into the error.
 * Never connects stdin: a build has no questions.
 */
export function run(
  command,
  args,
  { env = {}, cwd = ROOT, show = false, allowFailure = false } = {},
) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...childEnvironment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32' && /^(npm|npx)$/.test(command),
    })
    let output = ''
    const take = (chunk) => {
      output += chunk
      if (show) process.stderr.write(chunk)
    }
    child.stdout.setEncoding('utf8').on('data', take)
    child.stderr.setEncoding('utf8').on('data', take)
    child.on('error', (error) => reject(new CommandFailed(describe(command, args), error.code, '')))
    child.on('close', (code, signal) => {
      if (code === 0 || allowFailure) return resolve({ code, output })
      const said = show ? '' : excerpt(output)
      reject(new CommandFailed(describe(command, args), signal ?? `exit code ${code}`, said))
    })
  })
}

/**
 * The exit code of a child in our place: it decides how a signal ends it. Ctrl-C reaches the whole
 * group, the child included, so it is only outlived; SIGTERM reaches us alone, so it is passed on.
 */
export async function endOf(child) {
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const [code] = await once(child, 'close')
  return code ?? 1
}

/** The first and the last lines: npm says what is wrong first, compilers last. */
function excerpt(output) {
  const lines = output.trimEnd().split('\n')
  if (lines.length <= HEAD_LINES + TAIL_LINES) return lines.join('\n')
  return [...lines.slice(0, HEAD_LINES), '...', ...lines.slice(-TAIL_LINES)].join('\n')
}

/** First line a short command prints, or null where it is absent or fails. */
export function ask(command, args = ['--version']) {
  const { status, stdout } = spawnSync(command, args, {
    env: childEnvironment(),
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return status === 0 ? stdout.split('\n')[0].trim() : null
}

/** npm as it was called, so that a project pinned to one npm keeps it. */
export function npm(args, options) {
  const path = process.env.npm_execpath
  return path?.endsWith('.js') || path?.endsWith('.cjs')
    ? run(process.execPath, [path, ...args], options)
    : run('npm', args, options)
}

export const say = (line) => process.stderr.write(`${line}\n`)

/** Says what failed: the message where it was written for a person, the stack where it was not. */
export function report(error) {
  const known = error instanceof Missing || error instanceof CommandFailed
  say(`\nerror: ${known ? error.message : (error.stack ?? error)}`)
}

/** Runs `main`, turning a failure into one readable message and exit code 1. */
export async function start(main) {
  try {
    await main()
  } catch (error) {
    report(error)
    process.exitCode = 1
  }
}
