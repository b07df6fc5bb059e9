/**
 * SQLite, from whoever has it: Node itself (22.13 and later), else the optional package `libsql`.
 *
 * Only what the store needs is asked for, in a form both give: statements run with a list of
 * values, rows come back as objects, blobs as `Uint8Array`.
 *
 * `libsql` and not another package, because it is the one that runs on Node 20 without an install
 * script, which npm 12 no longer runs. Its trap: a single Buffer as the only argument is taken
 * for a set of named parameters and aborts the process, so values always travel as one list.
 */
import { createRequire } from 'node:module'
import { HISTORY_LOST_HINT, SynapticError } from '../errors.js'

/** A value that can be stored. */
export type SqlValue = Uint8Array | string | number

/** A row as a plain object. */
export type Row = Readonly<Record<string, unknown>>

/** A prepared statement. */
export interface Statement {
  run(values: readonly SqlValue[]): void
  all(values: readonly SqlValue[]): Row[]
}

/** An open database. */
export interface Database {
  exec(sql: string): void
  prepare(sql: string): Statement
  close(): void
}

/** Opens the database at a path. */
export type OpenDatabase = (file: string) => Database

interface NodeSqlite {
  DatabaseSync: new (
    file: string,
  ) => {
    exec(sql: string): void
    prepare(sql: string): {
      run(...values: SqlValue[]): unknown
      all(...values: SqlValue[]): Row[]
    }
    close(): void
  }
}

type Libsql = new (
  file: string,
) => {
  exec(sql: string): void
  prepare(sql: string): {
    run(values: readonly SqlValue[]): unknown
    all(values: readonly SqlValue[]): Record<string, unknown>[]
  }
  close(): void
}

const require = createRequire(import.meta.url)

/**
 * The driver of this machine.
 *
 * @throws SynapticError `storage-unavailable` when there is none
 */
export function findSqlite(): OpenDatabase {
  return fromNode() ?? fromLibsql() ?? unavailable()
}

function unavailable(): never {
  throw new SynapticError(
    'storage-unavailable',
    `Node ${process.versions.node} has no SQLite, and the package libsql is not installed`,
    'use Node 22.13 or later, run `npm install libsql`, or start with --storage memory',
  )
}

function fromNode(): OpenDatabase | undefined {
  const sqlite = loadNodeSqlite()
  if (sqlite === undefined) return undefined
  return (file) => {
    const database = new sqlite.DatabaseSync(file)
    return {
      exec: (sql) => database.exec(sql),
      prepare: (sql) => {
        const statement = database.prepare(sql)
        return {
          run: (values) => void statement.run(...values),
          all: (values) => statement.all(...values),
        }
      },
      close: () => database.close(),
    }
  }
}

/** Loads node:sqlite without the note that Node 22 prints about it: it is our choice, not news. */
function loadNodeSqlite(): NodeSqlite | undefined {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    return require('node:sqlite') as NodeSqlite
  } catch {
    return undefined
  } finally {
    process.emitWarning = emitWarning
  }
}

function fromLibsql(): OpenDatabase | undefined {
  let Libsql: Libsql
  try {
    Libsql = require('libsql') as Libsql
  } catch {
    return undefined
  }
  return (file) => {
    const database = new Libsql(file)
    return {
      exec: (sql) => database.exec(sql),
      prepare: (sql) => {
        const statement = database.prepare(sql)
        return {
          run: (values) => void statement.run(values.map(asBuffer)),
          all: (values) => statement.all(values.map(asBuffer)).map(withByteArrays),
        }
      },
      close: () => database.close(),
    }
  }
}

/** libsql reads the whole memory behind a view; a Buffer it takes as it is. */
function asBuffer(value: SqlValue): SqlValue {
  return value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value
}

function withByteArrays(row: Record<string, unknown>): Row {
  for (const [key, value] of Object.entries(row)) {
    if (value instanceof ArrayBuffer) row[key] = new Uint8Array(value)
  }
  return row
}

/** Primary result codes of SQLite, by what they mean to us. */
const PROBLEM_BY_RESULT: Readonly<Record<number, readonly [code: string, hint: string]>> = {
  3: ['storage-permission', 'check owner and mode of the directory'],
  5: ['storage-locked', 'another program has the database open; end it and try again'],
  6: ['storage-locked', 'another program has the database open; end it and try again'],
  8: ['storage-permission', 'check owner and mode of the directory'],
  10: ['storage-failed', 'the disk reports an error or a limit; check it, then start again'],
  11: ['storage-corrupt', HISTORY_LOST_HINT],
  13: ['storage-full', 'free some space and start again; everything acknowledged is kept'],
  14: ['storage-permission', 'check that the directory exists and can be written'],
  26: ['storage-corrupt', HISTORY_LOST_HINT],
}

/** A failure of either driver in our words. */
export function sqliteError(thrown: unknown, file: string): SynapticError {
  if (thrown instanceof SynapticError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  const problem = PROBLEM_BY_RESULT[resultOf(thrown, message) & 0xff]
  const [code, hint] = problem ?? ['storage-failed', 'see the message; the history is unchanged']
  return new SynapticError(code, `${file}: ${message}`, hint, { cause: thrown })
}

/** The result code, wherever the driver put it: node:sqlite, libsql, libsql's connect error. */
function resultOf(thrown: unknown, message: string): number {
  if (typeof thrown === 'object' && thrown !== null) {
    const { errcode, rawCode } = thrown as Record<string, unknown>
    if (typeof errcode === 'number') return errcode
    if (typeof rawCode === 'number') return rawCode
  }
  return Number(/: (\d+)"?\)?$/.exec(message)?.[1] ?? 1)
}
