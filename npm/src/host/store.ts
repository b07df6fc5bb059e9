/**
 * The disk lent to the core: three tables of bytes in one SQLite database.
 *
 * The core acknowledges nothing before `apply` has returned, and `apply` returns when its one
 * transaction is on the disk (WAL with synchronous=FULL): `kill -9` or a power cut at any moment
 * loses nothing that was acknowledged. A fourth table belongs to the host and holds what `status`
 * shows while no node runs; it is a convenience and may be behind.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { SynapticError } from '../errors.js'
import { makePrivateDirectory, sizeOf } from '../files.js'
import type { HostStore, StoreOperation } from '../wasm.js'
import type { Database, OpenDatabase, Row, Statement } from './sqlite.js'
import { findSqlite, sqliteError } from './sqlite.js'

/** Tables of the core. */
const TABLES = ['vertices', 'blobs', 'meta'] as const
type Table = (typeof TABLES)[number]

/** How long another program may hold the database before we give up, in milliseconds. */
const BUSY_TIMEOUT_MS = 5_000
/** Version of the layout, in `user_version`. */
const LAYOUT_VERSION = 1
/** Name of the database file in a network's directory. */
export const DATABASE_FILE = 'mesh.db'

/**
 * Columns as bytes whatever the file says they are: where it is damaged they may be texts that are
 * none, over which a binding of SQLite ends the process.
 */
const BYTES = {
  key: 'CAST(key AS BLOB) AS key',
  value: 'CAST(value AS BLOB) AS value',
  name: 'CAST(name AS BLOB) AS name',
  text: 'CAST(text AS BLOB) AS text',
} as const

interface Statements {
  readonly get: Statement
  readonly scan: Statement
  readonly keys: Statement
  readonly put: Statement
  readonly remove: Statement
}

/** Numbers that `status` shows. */
export interface StoreSummary {
  readonly vertices: number
  readonly blobs: { readonly count: number; readonly bytes: number }
}

/** A stored vertex with its place in the order of storing. */
export interface StoredVertex {
  readonly number: number
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** The store of one network of one identity. */
export class SqliteStore implements HostStore {
  /** Path of the database. */
  readonly file: string
  readonly #database: Database
  readonly #statements: Readonly<Record<Table, Statements>>
  readonly #after: Statement
  #closed = false

  private constructor(file: string, database: Database) {
    this.file = file
    this.#database = database
    this.#statements = {
      vertices: statementsOf(database, 'vertices'),
      blobs: statementsOf(database, 'blobs'),
      meta: statementsOf(database, 'meta'),
    }
    const columns = `rowid AS number, ${BYTES.key}, ${BYTES.value}`
    this.#after = database.prepare(
      `SELECT ${columns} FROM vertices WHERE rowid > ? ORDER BY rowid LIMIT ?`,
    )
  }

  /**
   * Opens the store in a directory and creates both if need be.
   *
   * @throws SynapticError `storage-unavailable|permission|corrupt|locked|full|failed`
   */
  static open(directory: string, openDatabase: OpenDatabase = findSqlite()): SqliteStore {
    makePrivateDirectory(directory)
    const file = path.join(directory, DATABASE_FILE)
    let database: Database | undefined
    try {
      database = openDatabase(file)
      prepareDatabase(database, file)
      return new SqliteStore(file, database)
    } catch (thrown) {
      database?.close()
      throw sqliteError(thrown, file)
    }
  }

  /** The value under a key, or undefined. */
  get(table: string, key: Uint8Array): Uint8Array | undefined {
    return this.#guard(() => {
      const row = this.#of(table).get.all([key])[0]
      return row === undefined ? undefined : bytesOf(row, 'value')
    })
  }

  /** Every entry of a table, by ascending key. */
  scan(table: string): [Uint8Array, Uint8Array][] {
    return this.#guard(() =>
      this.#of(table)
        .scan.all([])
        .map((row) => [bytesOf(row, 'key'), bytesOf(row, 'value')]),
    )
  }

  /** Every key of a table with the length of its value, by ascending key. */
  keys(table: string): [Uint8Array, number][] {
    return this.#guard(() =>
      this.#of(table)
        .keys.all([])
        .map((row) => [bytesOf(row, 'key'), Number(row.length)]),
    )
  }

  /** Writes and removes in one durable transaction: all of it or nothing. */
  apply(operations: readonly StoreOperation[]): void {
    this.#guard(() => {
      this.#database.exec('BEGIN IMMEDIATE')
      try {
        for (const [table, key, value] of operations) {
          const { put, remove } = this.#of(table)
          if (value === null) remove.run([key])
          else put.run([key, value])
        }
        this.#database.exec('COMMIT')
      } catch (thrown) {
        this.#rollBack()
        throw thrown
      }
    })
  }

  /**
   * So many vertices that were stored after the one with this number, in the order of storing. Old
   * ones are dropped and new ones come behind all others, so that no number is given twice.
   */
  verticesAfter(number: number, count: number): StoredVertex[] {
    return this.#guard(() =>
      this.#after.all([number, count]).map((row) => ({
        number: Number(row.number),
        key: bytesOf(row, 'key'),
        value: bytesOf(row, 'value'),
      })),
    )
  }

  /** Bytes on the disk, the write-ahead log included. */
  bytes(): number {
    return ['', '-wal'].reduce((sum, suffix) => sum + sizeOf(this.file + suffix), 0)
  }

  /** What is stored, in numbers. */
  summary(): StoreSummary {
    return this.#guard(() => summaryOf(this.#database))
  }

  /** Keeps a text of the host under a name; not part of the history. */
  remember(name: string, text: string): void {
    this.#guard(() => {
      this.#database
        .prepare(
          'INSERT INTO host VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET text = excluded.text',
        )
        .run([name, text])
    })
  }

  /** A text that the host kept. */
  recall(name: string): string | undefined {
    return this.#guard(() => {
      const look = `SELECT ${BYTES.text} FROM host WHERE name = ?`
      const row = this.#database.prepare(look).all([name])[0]
      return row === undefined ? undefined : textOf(row, 'text')
    })
  }

  /** Leaves everything in the one file, so that it can be moved. */
  settle(): void {
    this.#guard(() => this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)'))
  }

  /** Closes the database; closing twice does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#database.close()
  }

  #of(table: string): Statements {
    if (!(TABLES as readonly string[]).includes(table)) {
      throw new SynapticError('storage-failed', `there is no table "${table}"`)
    }
    return this.#statements[table as Table]
  }

  #guard<T>(work: () => T): T {
    if (this.#closed) throw new SynapticError('storage-closed', 'the store is closed')
    try {
      return work()
    } catch (thrown) {
      throw sqliteError(thrown, this.file)
    }
  }

  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK')
    } catch {
      // SQLite has already rolled back, as it does when the disk is full.
    }
  }
}

/** A look into a store that is not open: nothing is created and nothing is written. */
export interface StoreGlimpse extends StoreSummary {
  readonly file: string
  readonly bytes: number
  /** Text that the host kept under a name. */
  recall(name: string): string | undefined
}

/** Looks into the store of a directory, or gives undefined where there is none. */
export function glimpse(directory: string): StoreGlimpse | undefined {
  const file = path.join(directory, DATABASE_FILE)
  if (!fs.existsSync(file)) return undefined
  let database: Database | undefined
  try {
    database = findSqlite()(file)
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA query_only = ON`)
    const remembered = new Map(
      database
        .prepare(`SELECT ${BYTES.name}, ${BYTES.text} FROM host`)
        .all([])
        .map((row) => [textOf(row, 'name'), textOf(row, 'text')]),
    )
    const bytes = sizeOf(file) + sizeOf(`${file}-wal`)
    return { ...summaryOf(database), file, bytes, recall: (name) => remembered.get(name) }
  } catch (thrown) {
    throw sqliteError(thrown, file)
  } finally {
    database?.close()
  }
}

/** The history in a store. */
export interface StoredHistory {
  /** Vertices, in no particular order. */
  readonly vertices: Uint8Array[]
  /** What stays of those that were dropped, in order. */
  readonly pruned: Uint8Array[]
}

/** What stays of dropped vertices is under names that begin with `pruned/`. */
const PRUNED = "key >= CAST('pruned/' AS BLOB) AND key < CAST('pruned0' AS BLOB)"

/**
 * The history in the store of a directory; undefined where there is no store. A node may be writing
 * it meanwhile: this is a view of one moment.
 */
export function storedHistory(directory: string): StoredHistory | undefined {
  const file = path.join(directory, DATABASE_FILE)
  if (!fs.existsSync(file)) return undefined
  let database: Database | undefined
  try {
    database = findSqlite()(file)
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA query_only = ON`)
    database.exec('BEGIN')
    const read = (query: string): Uint8Array[] => {
      const rows = database?.prepare(query).all([]) ?? []
      return rows.map((row) => bytesOf(row, 'value'))
    }
    const vertices = read(`SELECT ${BYTES.value} FROM vertices`)
    const pruned = read(`SELECT ${BYTES.value} FROM meta WHERE ${PRUNED} ORDER BY meta.key`)
    database.exec('COMMIT')
    return { vertices, pruned }
  } catch (thrown) {
    throw sqliteError(thrown, file)
  } finally {
    database?.close()
  }
}

/** Those of these vertices that the store of a directory has, by the hexadecimal text of their key. */
export function storedVertices(
  directory: string,
  keys: readonly string[],
): [key: string, vertex: Uint8Array][] {
  const file = path.join(directory, DATABASE_FILE)
  let database: Database | undefined
  try {
    database = findSqlite()(file)
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA query_only = ON`)
    const get = database.prepare(`SELECT ${BYTES.value} FROM vertices WHERE key = ?`)
    return keys.flatMap((key) => {
      const row = get.all([Buffer.from(key, 'hex')])[0]
      return row === undefined ? [] : [[key, bytesOf(row, 'value')] as [string, Uint8Array]]
    })
  } catch (thrown) {
    throw sqliteError(thrown, file)
  } finally {
    database?.close()
  }
}

function prepareDatabase(database: Database, file: string): void {
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  const version = Number(database.prepare('PRAGMA user_version').all([])[0]?.user_version ?? 0)
  if (version > LAYOUT_VERSION) {
    throw new SynapticError(
      'storage-corrupt',
      `${file} was written by a newer version (layout ${version}, known is ${LAYOUT_VERSION})`,
      'update synaptic-mesh',
    )
  }
  database.exec('BEGIN IMMEDIATE')
  // SQLite opens a file that may only be read as well, and says so at the first write: now.
  database.exec(`PRAGMA user_version = ${LAYOUT_VERSION}`)
  if (version === LAYOUT_VERSION) {
    database.exec('ROLLBACK')
    return
  }
  for (const table of TABLES) {
    database.exec(`CREATE TABLE IF NOT EXISTS ${table} (key BLOB PRIMARY KEY, value BLOB NOT NULL)`)
  }
  database.exec('CREATE TABLE IF NOT EXISTS host (name TEXT PRIMARY KEY, text TEXT NOT NULL)')
  database.exec('COMMIT')
  fs.chmodSync(file, 0o600)
}

function statementsOf(database: Database, table: Table): Statements {
  return {
    get: database.prepare(`SELECT ${BYTES.value} FROM ${table} WHERE key = ?`),
    scan: database.prepare(
      `SELECT ${BYTES.key}, ${BYTES.value} FROM ${table} ORDER BY ${table}.key`,
    ),
    keys: database.prepare(
      `SELECT ${BYTES.key}, length(value) AS length FROM ${table} ORDER BY ${table}.key`,
    ),
    put: database.prepare(
      `INSERT INTO ${table} VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value`,
    ),
    remove: database.prepare(`DELETE FROM ${table} WHERE key = ?`),
  }
}

function summaryOf(database: Database): StoreSummary {
  const number = (sql: string): number => Number(database.prepare(sql).all([])[0]?.n ?? 0)
  return {
    vertices: number('SELECT count(*) AS n FROM vertices'),
    blobs: {
      count: number('SELECT count(*) AS n FROM blobs'),
      bytes: number('SELECT coalesce(sum(length(value)), 0) AS n FROM blobs'),
    },
  }
}

/** A column that holds bytes. */
export function bytesOf(row: Row, column: string): Uint8Array {
  const value = row[column]
  if (value instanceof Uint8Array) return value
  throw new SynapticError('storage-corrupt', `column ${column} does not hold bytes`)
}

function textOf(row: Row, column: string): string {
  return new TextDecoder().decode(bytesOf(row, column))
}
