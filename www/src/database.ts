/**
 * The page's own small IndexedDB database: profiles (identity) and the last model of each.
 *
 * The node keeps its history in databases of its own; this one holds what the page must have before
 * the node runs. Every write waits for the transaction to complete, so "saved" means saved.
 */
import { Failure, toProblem } from './problem.ts'

const NAME = 'synaptic-mesh-page'
const VERSION = 1

/** An identity of this browser in one network. The secrets are readable only through `key`. */
export interface Profile {
  /** `<network>/<slot>`. */
  readonly id: string
  readonly network: string
  readonly slot: number
  readonly meshName: string | null
  /** Addresses of the last link used: where to dial when the tab is opened without one. */
  readonly addresses: readonly string[]
  /** What the network began with, as a link told it, if anything is ever final in it. */
  readonly genesis?: Uint8Array | undefined
  readonly nodeId: string
  /** AES-GCM, not extractable: script can use it and never read it. */
  readonly key: CryptoKey
  readonly iv: Uint8Array<ArrayBuffer>
  readonly wrapped: ArrayBuffer
  readonly usedAt: number
}

/** The last run a profile saw (what of it is `Saved`, the page decides), with its weights. */
export interface SavedModel<Saved> {
  readonly id: string
  readonly saved: Saved
  readonly weights: Uint8Array
}

interface Tables<Saved> {
  profiles: Profile
  models: SavedModel<Saved>
}

/** An open database. One per node worker. */
export class Database<Saved = unknown> {
  readonly #handle: IDBDatabase

  private constructor(handle: IDBDatabase) {
    this.#handle = handle
  }

  /** @throws Failure `no-indexeddb` where the browser refuses storage (often a private window). */
  static async open<Saved>(): Promise<Database<Saved>> {
    try {
      const request = indexedDB.open(NAME, VERSION)
      request.onupgradeneeded = () => {
        request.result.createObjectStore('profiles', { keyPath: 'id' })
        request.result.createObjectStore('models', { keyPath: 'id' })
      }
      const handle = await settled(request)
      // A newer page of this origin may upgrade; holding on would block it.
      handle.onversionchange = () => handle.close()
      return new Database<Saved>(handle)
    } catch (cause) {
      throw new Failure(
        'no-indexeddb',
        'This browser lets the page store nothing, so it cannot keep an identity.',
        'Leave the private window or allow site data for this address, then reload.',
        cause,
      )
    }
  }

  get<Table extends keyof Tables<Saved>>(
    table: Table,
    id: string,
  ): Promise<Tables<Saved>[Table] | undefined> {
    const request = this.#handle.transaction(table).objectStore(table).get(id)
    return settled(request as IDBRequest<Tables<Saved>[Table] | undefined>)
  }

  profiles(): Promise<Profile[]> {
    return settled(this.#handle.transaction('profiles').objectStore('profiles').getAll())
  }

  /** @throws Failure `storage-full` and others as the browser reports them. */
  async put<Table extends keyof Tables<Saved>>(
    table: Table,
    value: Tables<Saved>[Table],
  ): Promise<void> {
    try {
      const write = this.#handle.transaction(table, 'readwrite', { durability: 'strict' })
      write.objectStore(table).put(value)
      await new Promise<void>((resolve, reject) => {
        write.oncomplete = () => resolve()
        write.onabort = () => reject(write.error)
        write.onerror = () => reject(write.error)
      })
    } catch (cause) {
      const { code, message, hint } = toProblem(cause, 'storage-failed')
      throw new Failure(code, message, hint, cause)
    }
  }

  close(): void {
    this.#handle.close()
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
