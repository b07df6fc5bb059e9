/**
 * The service worker: the app shell opens when the node that served it is gone.
 *
 * Network first, so a running node always wins with its own version; the copy made when this worker
 * was installed answers when nobody does. Only the files of the shell are ever stored, and only at
 * install: another program that later listens on the same port cannot slip pages into the cache.
 */
declare const self: ServiceWorkerGlobalScope
/** Filled in by the build: the shell's paths and a digest of their contents. */
declare const __SHELL__: { readonly version: string; readonly paths: readonly string[] }

const CACHE = `synaptic-mesh-shell-${__SHELL__.version}`
const PATHS = new Set(__SHELL__.paths)

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) =>
        cache.addAll([...PATHS].map((path) => new Request(path, { cache: 'no-cache' }))),
      )
      .then(() => self.skipWaiting()),
  )
})

self.addEventListener('activate', (event) => {
  event.waitUntil(dropOldShells().then(() => self.clients.claim()))
})

self.addEventListener('fetch', (event) => {
  const { method, url } = event.request
  const { origin, pathname } = new URL(url)
  if (method !== 'GET' || origin !== self.location.origin || !PATHS.has(pathname)) return
  event.respondWith(fetch(event.request).catch(() => stored(pathname)))
})

async function stored(pathname: string): Promise<Response> {
  const cache = await caches.open(CACHE)
  return (await cache.match(pathname)) ?? Response.error()
}

async function dropOldShells(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith('synaptic-mesh-shell-') && name !== CACHE) await caches.delete(name)
  }
}

export {}
