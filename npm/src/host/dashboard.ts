/**
 * The files of the dashboard and of the wasm core, as the loopback server gives them out.
 *
 * The list is made once, at start: a request names an entry of it or nothing, so no path of a
 * request ever reaches the file system.
 */
import * as fs from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.csv': 'text/csv; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
}

/** Files under these paths carry a digest of their content in their name. */
const HASHED = /^\/assets\/.+-[\w-]{8,}\.\w+$/

interface Entry {
  readonly file: string
  readonly type: string
  readonly etag: string
  readonly bytes: number
}

/** The files that are served, by URL path. */
export class Dashboard {
  readonly #entries = new Map<string, Entry>()

  /** Lists the files of the installed package. */
  static installed(): Dashboard {
    const place = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url))
    return new Dashboard([
      ['/', place('www')],
      ['/wasm/', place('wasm')],
    ])
  }

  /** `roots` are pairs of URL prefix and directory; a directory that is missing adds nothing. */
  constructor(roots: readonly (readonly [prefix: string, directory: string])[]) {
    for (const [prefix, directory] of roots) this.#addDirectory(prefix, directory)
    const index = this.#entries.get('/index.html')
    if (index !== undefined) this.#entries.set('/', index)
  }

  /** Answers a request for a file; false if there is none of that name. */
  serve(request: IncomingMessage, response: ServerResponse, urlPath: string): boolean {
    const entry = this.#entries.get(urlPath)
    if (entry === undefined) return false
    const caching = HASHED.test(urlPath) ? 'public, max-age=31536000, immutable' : 'no-cache'
    response.setHeader('cache-control', caching)
    response.setHeader('etag', entry.etag)
    if (request.headers['if-none-match'] === entry.etag) {
      response.writeHead(304).end()
      return true
    }
    response.setHeader('content-type', entry.type)
    response.setHeader('content-length', entry.bytes)
    response.writeHead(200)
    if (request.method === 'HEAD') response.end()
    else
      fs.createReadStream(entry.file)
        .on('error', () => response.destroy())
        .pipe(response)
    return true
  }

  #addDirectory(prefix: string, directory: string): void {
    if (!fs.existsSync(directory)) return
    for (const name of fs.readdirSync(directory)) {
      const file = path.join(directory, name)
      const stat = fs.statSync(file)
      if (stat.isDirectory()) {
        this.#addDirectory(`${prefix}${name}/`, file)
        continue
      }
      const type = TYPES[path.extname(name)]
      if (type === undefined) continue
      const etag = `"${stat.size.toString(36)}-${Math.trunc(stat.mtimeMs).toString(36)}"`
      this.#entries.set(prefix + name, { file, type, etag, bytes: stat.size })
    }
  }
}
