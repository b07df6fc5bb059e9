// A store of the host in memory, with the interface `HostStore`. `fails` makes `apply` throw.
() => {
  const tables = { vertices: new Map(), blobs: new Map(), meta: new Map() }
  const name = (key) => Array.from(key).join()
  const rows = (table) => Array.from(tables[table].values())
  const store = {
    fails: undefined,
    closed: false,
    get: (table, key) => tables[table].get(name(key))?.[1].slice(),
    scan: (table) => rows(table),
    keys: (table) => rows(table).map(([key, value]) => [key, value.length]),
    apply(operations) {
      if (store.fails !== undefined) throw store.fails
      for (const [table, key, value] of operations) {
        if (value === null) tables[table].delete(name(key))
        else tables[table].set(name(key), [key, value])
      }
    },
    bytes: () =>
      Object.keys(tables)
        .flatMap(rows)
        .reduce((sum, [key, value]) => sum + key.length + value.length, 0),
    close() {
      store.closed = true
    },
  }
  return store
}
