/**
 * What can be read of a damaged store, and whether that is enough to have it whole again.
 *
 * An identity that goes on from less than it has signed signs a place twice, and is shut out for good.
 * So a store is whole again only when it has every vertex that it had, and that is known: SQLite
 * keeps the keys of a table in a tree of their own, the keys of vertices are their hashes, and bytes
 * with that hash are the vertex, whoever has kept them. Where the tree of the keys is damaged, or the
 * records that are no vertices (`meta`), nothing can say what is missing, and there is no repair.
 *
 * What SQLite took back because its write-ahead log was damaged or gone, no look at the file shows.
 */
import * as path from 'node:path'
import { SynapticError } from '../errors.js'
import { type Database, findSqlite, type Row, sqliteError } from './sqlite.js'
import { bytesOf, DATABASE_FILE } from './store.js'

/** Bytes by the hexadecimal text of their key. */
export type Records = Map<string, Uint8Array>

/** What is there. */
export interface Salvage {
  /** Keys of all vertices that the store had. */
  readonly keys: readonly string[]
  /** Vertices that could be read; whether they are what their key says is for the core to say. */
  readonly vertices: Records
  /** Records that are no vertices, all of them. */
  readonly meta: Records
  /** Blobs that could be read; the others are fetched again by whoever needs them. */
  readonly blobs: Records
  /** Texts of the host that could be read. */
  readonly host: ReadonlyMap<string, string>
  /** What SQLite finds wrong with the file; empty where its trees are whole. */
  readonly found: readonly string[]
}

/** Findings that are asked for. */
const FINDINGS = [100_000, 10_000, 1_000, 100, 10, 3, 2]

/** What SQLite says of trees, by the page that they begin at. */
const OF_TREE = /^(?:\*\*\* in database main \*\*\*\s*)?(?:On t|T)ree (?:page )?(\d+)/
/** What follows from damage elsewhere, or is about one row of a table or its keys. */
const OF_ROWS = /^(row \d+ missing from|wrong # of entries in|non-unique entry in) index (\w+)/
const OF_PAGES = /^(Page \d+(: | is )never used|Freelist: )/

/**
 * Reads what there is in the store of a directory.
 *
 * @throws SynapticError `repair-impossible`, `storage-*`
 */
export function salvage(directory: string): Salvage {
  const file = path.join(directory, DATABASE_FILE)
  let database: Database | undefined
  try {
    database = findSqlite()(file)
    database.exec('PRAGMA query_only = ON')
    return read(database)
  } catch (thrown) {
    const error = sqliteError(thrown, file)
    if (error.code !== 'storage-corrupt') throw error
    throw impossible(`nothing of ${file} can be read for sure: ${error.message}`)
  } finally {
    database?.close()
  }
}

function read(database: Database): Salvage {
  const found = findings(database)
  const isWhole = treesOf(database, found)
  if (!isWhole('vertices', 'keys')) throw impossible('the keys of the history are damaged')
  if (!isWhole('meta', 'keys') || !isWhole('meta', 'rows')) {
    throw impossible('what the node has noted beside the history is damaged')
  }
  const keys = keysOf(database, 'vertices')
  const isLess = isWhole('vertices', 'rows') && rowsOf(database, 'vertices') !== keys.length
  if (isLess) throw impossible('the history and its keys are not the same')
  const meta = recordsOf(database, 'meta', keysOf(database, 'meta'))
  if (meta.lost > 0 || meta.records.size !== rowsOf(database, 'meta'))
    throw impossible('what the node has noted beside the history is damaged')
  const { records: vertices } = recordsOf(database, 'vertices', keys)
  const blobs = orNone(() => recordsOf(database, 'blobs', keysOf(database, 'blobs')).records)
  return { keys, vertices, meta: meta.records, blobs, host: hostTexts(database), found }
}

/**
 * What SQLite finds wrong with the trees. Its checks fail altogether where rows lead to keys that are
 * damaged, or the other way round, unless they have found as much as was asked for by then: so less
 * and less is asked for. First come all trees, then pages that no tree leads to, then rows.
 */
function findings(database: Database): string[] {
  for (const limit of FINDINGS) {
    for (const check of ['integrity_check', 'quick_check']) {
      const rows = orNothing(() => database.prepare(`PRAGMA ${check}(${limit})`).all([]))
      if (rows === undefined) continue
      const lines = rows.flatMap((row) => String(Object.values(row)[0]).split('\n'))
      const said = lines.filter((line) => line !== 'ok' && line !== '*** in database main ***')
      const areAllTreesIn = said.length < limit || OF_PAGES.test(said.at(-1) ?? '')
      if (areAllTreesIn) return said
    }
  }
  throw impossible('SQLite cannot say what of the file is damaged')
}

type Part = 'rows' | 'keys'

/** Says of a table whether its tree of rows, or that of its keys, is whole. */
function treesOf(
  database: Database,
  found: readonly string[],
): (table: string, part: Part) => boolean {
  const rows = database.prepare('SELECT name, rootpage FROM sqlite_schema').all([])
  const roots = new Map(rows.map((row) => [String(row.name), Number(row.rootpage)]))
  const damaged = new Set<number>()
  for (const line of found) {
    const root = OF_TREE.exec(line)?.[1]
    if (root !== undefined) damaged.add(Number(root))
    else if (!OF_ROWS.test(line) && !OF_PAGES.test(line)) {
      throw impossible(`SQLite finds damage of another kind: ${line}`)
    }
  }
  return (table, part) => {
    const root = roots.get(part === 'rows' ? table : keyTree(table))
    return root !== undefined && !damaged.has(root)
  }
}

/** What SQLite calls the tree of a primary key. */
const keyTree = (table: string): string => `sqlite_autoindex_${table}_1`

/** The keys of a table, from their tree alone. */
function keysOf(database: Database, table: string): string[] {
  const look = `SELECT key FROM ${table} INDEXED BY ${keyTree(table)} ORDER BY key`
  return database
    .prepare(look)
    .all([])
    .map((row) => hex(bytesOf(row, 'key')))
}

/** How many rows a table has, by the tree of its rows. */
function rowsOf(database: Database, table: string): number {
  return Number(database.prepare(`SELECT count(*) AS n FROM ${table} NOT INDEXED`).all([])[0]?.n)
}

/** Record by record, so that one that cannot be read costs no other. */
function recordsOf(
  database: Database,
  table: string,
  keys: readonly string[],
): { records: Records; lost: number } {
  const get = database.prepare(`SELECT CAST(value AS BLOB) AS value FROM ${table} WHERE key = ?`)
  const records: Records = new Map()
  let lost = 0
  for (const key of keys) {
    const row = orNothing(() => get.all([Buffer.from(key, 'hex')])[0])
    if (row === undefined) lost += 1
    else records.set(key, bytesOf(row, 'value'))
  }
  return { records, lost }
}

function hostTexts(database: Database): ReadonlyMap<string, string> {
  const look = 'SELECT name, CAST(text AS BLOB) AS text FROM host'
  const rows = orNothing(() => database.prepare(look).all([])) ?? []
  const text = (row: Row): string => new TextDecoder().decode(bytesOf(row, 'text'))
  return new Map(rows.map((row) => [String(row.name), text(row)]))
}

function orNothing<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

function orNone(work: () => Records): Records {
  return orNothing(work) ?? new Map()
}

/** The text of a key. */
export function hex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}

/** The error where a repair might make an identity sign a place twice. */
export function impossible(why: string): SynapticError {
  return new SynapticError(
    'repair-impossible',
    `${why}, so that nothing says what this identity has signed`,
    NEW_IDENTITY_HINT,
  )
}

/** What is left when the history of an identity cannot be had again. */
export const NEW_IDENTITY_HINT =
  'take a new identity with `synaptic-mesh init --home DIRECTORY`, and say so to who pays or counts on this one; put a copy back only if nothing was signed after it was made: a node that signs one place twice is shut out for good'
