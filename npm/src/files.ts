/**
 * Reading with a bound and writing all or nothing.
 *
 * Every file this program makes is written beside its final place, flushed, and renamed: a crash,
 * a full disk or a Ctrl-C leaves the old file or the new one, never half of one.
 */
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { SynapticError, systemError, toSynapticError } from './errors.js'

/** Mode of files that hold secrets. */
export const SECRET_MODE = 0o600
/** Mode of everything else we write. */
const PLAIN_MODE = 0o644
/** Mode of directories that hold secrets. */
const PRIVATE_DIRECTORY_MODE = 0o700

/** Largest model or history file that is read; both are far smaller in practice. */
export const ARTEFACT_BYTES_MAX = 1024 * 1024 * 1024
/** Largest table of rows that is read: it is parsed in memory, in one piece. */
export const TABLE_BYTES_MAX = 256 * 1024 * 1024

/** An operating-system failure on `file` as our error. */
function fileError(thrown: unknown, file: string): SynapticError {
  return systemError(thrown, file) ?? toSynapticError(thrown)
}

/** The error for a file to be written where there is no directory for it. */
function noDirectory(directory: string, cause: unknown): SynapticError {
  return new SynapticError(
    'no-such-file',
    `there is no directory ${path.resolve(directory)}`,
    'make it first, or choose another place',
    { cause },
  )
}

/**
 * Writes `content` to `file`, all or nothing, and returns when it is on the disk. A file that is
 * replaced keeps its mode, unless one is asked for; a link stays, and what it names is replaced.
 *
 * @throws SynapticError `disk-full`, `no-permission`, `no-such-file` (the directory), `not-a-file`
 */
export function writeAtomic(file: string, content: Uint8Array | string, mode?: number): void {
  const { place, modeNow } = replaceable(file)
  const directory = path.dirname(place)
  const suffix = randomBytes(6).toString('hex')
  const temporary = path.join(directory, `.${path.basename(place)}.${suffix}.tmp`)
  try {
    writeDurably(temporary, content, mode ?? modeNow ?? PLAIN_MODE)
    if (mode === undefined && modeNow !== undefined) fs.chmodSync(temporary, modeNow)
    fs.renameSync(temporary, place)
  } catch (thrown) {
    fs.rmSync(temporary, { force: true })
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') throw noDirectory(directory, thrown)
    throw fileError(thrown, file)
  }
  flushDirectory(directory)
}

/**
 * Where a file is replaced, and the mode of what is there. Only a file is: a device or a pipe would
 * be gone afterwards.
 */
function replaceable(file: string): { readonly place: string; readonly modeNow?: number } {
  let found: fs.Stats
  let place: string
  try {
    place = fs.realpathSync(file)
    found = fs.statSync(place)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return { place: file }
    throw fileError(thrown, file)
  }
  if (found.isFile()) return { place, modeNow: found.mode & 0o777 }
  if (found.isDirectory()) throw fileError(Object.assign(new Error(), { code: 'EISDIR' }), file)
  throw notAFile(file)
}

/** The error for a device, a pipe or a socket. */
function notAFile(file: string): SynapticError {
  const message = `${file} is a device, a pipe or a socket, and no file`
  return new SynapticError('not-a-file', message, 'name a file')
}

/**
 * Creates `file` with its whole content, unless something stands there already.
 *
 * @returns whether it was created
 */
export function writeNew(file: string, content: Uint8Array | string, mode: number): boolean {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  try {
    writeDurably(temporary, content, mode)
    fs.linkSync(temporary, file)
    flushDirectory(path.dirname(file))
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw fileError(thrown, file)
  } finally {
    fs.rmSync(temporary, { force: true })
  }
}

/** Makes a new file and returns when its content is on the disk. */
function writeDurably(file: string, content: Uint8Array | string, mode: number): void {
  const handle = fs.openSync(file, 'wx', mode)
  try {
    fs.writeFileSync(handle, content)
    fs.fsyncSync(handle)
  } finally {
    fs.closeSync(handle)
  }
}

/** Makes a rename durable; file systems that cannot flush a directory are left alone. */
function flushDirectory(directory: string): void {
  try {
    const handle = fs.openSync(directory, 'r')
    try {
      fs.fsyncSync(handle)
    } finally {
      fs.closeSync(handle)
    }
  } catch {
    // Windows and some network file systems refuse; the rename itself has happened.
  }
}

/**
 * Refuses to replace what is there.
 *
 * @throws SynapticError `exists`, `no-permission`
 */
export function checkAbsent(file: string): void {
  if (!exists(file)) return
  throw new SynapticError(
    'exists',
    `${file} exists already`,
    'choose another name, or add --force to replace it',
  )
}

/**
 * Reads a whole file of at most `bytesMax` bytes.
 *
 * @throws SynapticError `no-such-file`, `no-permission`, `not-a-file`, `file-too-large`
 */
export function readBounded(file: string, bytesMax: number): Buffer {
  try {
    const found = fs.statSync(file)
    // Nobody may ever write to a named pipe, and then reading would wait for ever. What a shell
    // hands over is under /dev or /proc.
    if (found.isFIFO() && !/^[/](dev|proc)[/]/.test(file)) throw notAFile(file)
    const { size } = found
    if (size > bytesMax) {
      throw new SynapticError(
        'file-too-large',
        `${file} has ${size} bytes; at most ${bytesMax} are read`,
        'is it the right file?',
      )
    }
    return fs.readFileSync(file)
  } catch (thrown) {
    throw thrown instanceof SynapticError ? thrown : fileError(thrown, file)
  }
}

/**
 * Creates a directory that only its owner can enter, with its parents.
 *
 * One after the other: Node's own `recursive` never ends where a directory is there and yet nothing
 * can be made in it, such as `/proc`.
 */
export function makePrivateDirectory(directory: string): void {
  const missing: string[] = []
  let parent = path.resolve(directory)
  while (!exists(parent) && path.dirname(parent) !== parent) {
    missing.unshift(parent)
    parent = path.dirname(parent)
  }
  try {
    if (missing.length === 0) fs.readdirSync(directory)
    for (const place of missing) makeDirectory(place)
  } catch (thrown) {
    throw fileError(thrown, directory)
  }
}

/** Creates one directory, unless somebody else has just done so. */
function makeDirectory(place: string): void {
  try {
    fs.mkdirSync(place, { mode: PRIVATE_DIRECTORY_MODE })
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown
  }
}

/** Bytes of a file; 0 where there is none. */
export function sizeOf(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

/**
 * Whether anything stands at this path.
 *
 * What may not be looked at is not absent: taken for that, it would be made a second time.
 *
 * @throws SynapticError `no-permission`
 */
export function exists(file: string): boolean {
  try {
    fs.statSync(file)
    return true
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM') throw fileError(thrown, file)
    return false
  }
}
