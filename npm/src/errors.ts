/**
 * The one error shape of host and command line, and the exit code that belongs to each cause.
 *
 * Everything a user can run into is a `SynapticError` with a stable `code`, a message that states
 * what is wrong, and a hint that says what to do next. Errors thrown by the wasm core are plain
 * objects of the same shape; `toSynapticError` turns them, and anything unexpected, into one.
 */

/** What is told about a failure, in `--json` output and over the control API alike. */
export interface Problem {
  readonly code: string
  readonly message: string
  readonly hint: string
}

/** An error with a stable code and advice. */
export class SynapticError extends Error {
  /** Stable, kebab-case name of the cause. */
  readonly code: string
  /** What the user can do about it; empty when there is nothing to add. */
  readonly hint: string

  constructor(code: string, message: string, hint = '', options?: ErrorOptions) {
    super(message, options)
    this.name = 'SynapticError'
    this.code = code
    this.hint = hint
  }

  /** The parts that are shown to users. */
  toProblem(): Problem {
    return { code: this.code, message: this.message, hint: this.hint }
  }
}

/** Exit codes of the command line; `help exit-codes` prints this table. */
export const EXIT_CODES: readonly (readonly [code: number, name: string, meaning: string])[] = [
  [0, 'ok', 'the command did what it was asked'],
  [1, 'failed', 'the command failed; the error says why'],
  [2, 'usage', 'unknown command, option or value; nothing was done'],
  [3, 'not initialised', 'there is no identity here yet: run `synaptic-mesh init`'],
  [4, 'node not running', 'the command needs a running node: run `synaptic-mesh start`'],
  [5, 'unreachable', 'a peer or the node did not answer in time'],
  [6, 'refused', 'the request was understood and refused (network, token, policy)'],
  [130, 'interrupted', 'ended by SIGINT (Ctrl-C)'],
  [143, 'terminated', 'ended by SIGTERM'],
]

const EXIT_BY_ERROR_CODE: Readonly<Record<string, number>> = {
  usage: 2,
  'bad-link': 2,
  // Values that no network and no moment makes right.
  'address-invalid': 2,
  'amount-invalid': 2,
  'bad-argument': 2,
  'bad-node-id': 2,
  'bad-invite-id': 2,
  'committee-invalid': 2,
  'invite-terms': 2,
  'ledger-text': 2,
  'name-addresses': 2,
  'name-invalid': 2,
  'payment-to-oneself': 2,
  'onion-question-too-long': 2,
  'sealed-empty': 2,
  'sealed-too-long': 2,
  'not-initialised': 3,
  'not-running': 4,
  timeout: 5,
  unreachable: 5,
  'node-ended': 5,
  'not-final': 5,
  'invite-altered': 6,
  'invite-expired': 6,
  'invite-foreign': 6,
  'invite-holder': 6,
  'invite-issuer': 6,
  'invite-malformed': 6,
  'invite-overlong': 6,
  'invite-revoked': 6,
  'invite-used': 6,
  'member-ended': 6,
  'network-open': 6,
  'not-inviter': 6,
  'payee-ended': 6,
  'peer-banned': 6,
  rejected: 6,
  refused: 6,
  unauthorised: 6,
  uninvited: 6,
  'wrong-network': 6,
  interrupted: 130,
  terminated: 143,
}

/** The process exit code for an error code; everything not listed is a plain failure. */
export function exitCodeOf(errorCode: string): number {
  return EXIT_BY_ERROR_CODE[errorCode] ?? 1
}

/** What to do when the history of an identity is gone or damaged. */
export const HISTORY_LOST_HINT =
  '`synaptic-mesh dag repair` makes a damaged history whole from other members, where that is safe; what is gone altogether needs a new identity, by `synaptic-mesh init --home DIRECTORY`; put a copy back only if nothing was signed after it was made: a node that signs one place twice is shut out for good'

/** An error about the command line itself (exit code 2). */
export function usageError(message: string, hint = ''): SynapticError {
  return new SynapticError('usage', message, hint)
}

function textField(value: object, key: string): string {
  const field: unknown = (value as Record<string, unknown>)[key]
  return typeof field === 'string' ? field : ''
}

/** Any thrown value as a `SynapticError`; the original stays in `cause`. */
export function toSynapticError(thrown: unknown): SynapticError {
  if (thrown instanceof SynapticError) return thrown
  if (thrown instanceof WebAssembly.RuntimeError) {
    return new SynapticError(
      'wasm-trap',
      `the core stopped: ${thrown.message}`,
      'this is a defect of the core; nothing acknowledged is lost, start the node again',
      { cause: thrown },
    )
  }
  if (typeof thrown === 'object' && thrown !== null) {
    const message = textField(thrown, 'message')
    const code = textField(thrown, 'code')
    if (/^[a-z][a-z0-9-]*$/.test(code) && message !== '') {
      return new SynapticError(code, message, textField(thrown, 'hint'), { cause: thrown })
    }
    const fromSystem = systemError(thrown, '')
    if (fromSystem !== undefined) return fromSystem
    if (message !== '') return new SynapticError('internal', message, '', { cause: thrown })
  }
  return new SynapticError('internal', String(thrown), '', { cause: thrown })
}

const SYSTEM_PROBLEMS: Readonly<Record<string, readonly [string, string, string]>> = {
  ENOENT: ['no-such-file', 'there is no such file or directory', 'check the path'],
  EACCES: ['no-permission', 'permission denied', 'check owner and mode of the path'],
  EPERM: ['no-permission', 'operation not permitted', 'check owner and mode of the path'],
  EROFS: ['no-permission', 'the file system is read-only', 'choose another place'],
  EISDIR: ['not-a-file', 'a directory stands where a file is expected', 'name a file'],
  EEXIST: ['not-a-directory', 'a file stands where a directory is needed', 'choose another place'],
  ENOTDIR: ['not-a-directory', 'a part of the path is not a directory', 'check the path'],
  ENOSPC: ['disk-full', 'no space is left on the device', 'free some space and try again'],
  EDQUOT: ['disk-full', 'the disk quota is used up', 'free some space and try again'],
  EFBIG: ['disk-full', 'the file size limit was reached', 'raise the limit (ulimit -f)'],
  EMFILE: ['too-many-files', 'too many open files', 'raise the limit (ulimit -n)'],
  EADDRINUSE: ['port-busy', 'the port is in use', 'choose another port, or 0 for any free one'],
  EADDRNOTAVAIL: ['bad-address', 'this machine has no such address', 'check --host'],
  ECONNREFUSED: ['unreachable', 'nobody listens there', 'check that the other side is running'],
}

/** An operating-system error in our words, or undefined when it is none we know. */
export function systemError(thrown: unknown, what: string): SynapticError | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  const known = SYSTEM_PROBLEMS[textField(thrown, 'code')]
  if (known === undefined) return undefined
  const path = what === '' ? textField(thrown, 'path') : what
  const message = path === '' ? known[1] : `${path}: ${known[1]}`
  return new SynapticError(known[0], message, known[2], { cause: thrown })
}

/** The error for a node that did not come up. */
export function notReady(): SynapticError {
  return new SynapticError(
    'timeout',
    'the node did not come up',
    'run `synaptic-mesh doctor` to see what this machine lacks',
  )
}
