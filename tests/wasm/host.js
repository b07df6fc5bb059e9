// A host without a network: sockets in memory, with the habits of real ones and with bad ones on
// demand. Evaluates to a function that makes a hub of hosts that can call each other.
() => {
  const listeners = new Map()
  let port = 1000
  const sockets = []
  const peers = new Map()

  // Somebody in between who makes another name, of the same length, of an offered protocol.
  const strike = (bytes, name) => {
    const at = String.fromCharCode(...bytes.subarray(0, 4096)).indexOf(name)
    if (at >= 0) bytes[at + name.length - 1] ^= 1
  }

  class End {
    constructor(habits) {
      this.habits = habits
      this.handlers = null
      this.inbox = []
      this.paused = true
      this.pauses = 0
      this.resumes = 0
      this.closed = false
      this.waiting = false
      sockets.push(this)
      if (habits.noPause) {
        this.pause = undefined
        this.resume = undefined
        this.paused = false
      }
    }
    setHandlers(handlers) {
      this.handlers = handlers
    }
    pause() {
      this.paused = true
      this.pauses += 1
    }
    resume() {
      this.paused = false
      this.resumes += 1
      this.later()
    }
    send(bytes) {
      if (bytes.byteLength !== bytes.buffer.byteLength) throw new Error('not a copy')
      if (this.closed) return false
      if (this.habits.strike) strike(bytes, this.habits.strike)
      if (this.habits.emptyMessages) this.peer.inbox.push(new Uint8Array(0))
      this.peer.inbox.push(bytes)
      this.peer.later()
      if (this.habits.window === undefined) return true
      this.waiting = this.peer.inbox.reduce((sum, b) => sum + b.length, 0) > this.habits.window
      return !this.waiting
    }
    close() {
      this.end('')
    }
    // The end of both sides; what is under way to the other one arrives first.
    end(reason) {
      if (this.closed) return
      this.closed = true
      setTimeout(() => this.handlers?.close(reason), 0)
      this.peer.ending = reason
      this.peer.later()
    }
    later() {
      if (this.scheduled) return
      this.scheduled = true
      setTimeout(() => {
        this.scheduled = false
        this.deliver()
      }, 0)
    }
    deliver() {
      while (!this.paused && !this.closed && this.inbox.length > 0) {
        this.handlers?.message(this.inbox.shift())
      }
      if (this.peer.waiting && this.inbox.length === 0) {
        this.peer.waiting = false
        if (!this.peer.closed) this.peer.handlers?.drain()
      }
      if (this.ending !== undefined && !this.closed && this.inbox.length === 0) {
        this.closed = true
        this.handlers?.close(this.ending)
      }
    }
  }

  const connect = (habits, to) => {
    const [near, far] = [new End(habits), new End(habits)]
    near.peer = far
    far.peer = near
    setTimeout(() => {
      const accept = listeners.get(to)
      if (accept === undefined) {
        near.closed = true
        near.handlers?.close('nobody listens there')
        return
      }
      accept(far, '127.0.0.1:40000')
      if (near.closed) return
      near.paused = false
      near.handlers?.open()
      near.later()
    }, 0)
    return near
  }

  // A peer connection without a network: descriptions name it, and once each side has set the
  // other's and heard of a place to reach it at, their channels open.
  class Peer {
    constructor(habits) {
      this.habits = habits
      this.id = `${peers.size + 1}`
      this.channel = new End({})
      this.channel.close = () => this.close()
      this.places = 0
      this.closed = false
      peers.set(this.id, this)
    }
    setHandlers(handlers) {
      this.handlers = handlers
    }
    description() {
      if (this.habits.sdp !== undefined) return this.habits.sdp
      const name = this.habits.lies ? 'of:somebody:else' : this.id
      return `v=0\r\nm=application 9 x\r\na=peer:${this.id}\r\na=fingerprint:sha-256 ${name}\r\n`
    }
    async offer() {
      const count = this.habits.candidates ?? 2
      setTimeout(() => {
        for (let at = 0; at < count; at += 1) this.handlers.candidate(`{"at":${at}}`)
        this.handlers.candidate('null')
      }, 0)
      return this.description()
    }
    async answer(sdp) {
      await this.apply(sdp)
      if (this.habits.silent) return new Promise(() => {})
      return this.offer()
    }
    async apply(sdp) {
      this.theirs = /a=peer:(\d+)/.exec(sdp)[1]
      this.certificate = /sha-256 (\S+)/.exec(sdp)[1]
      this.meet()
    }
    async add(candidate) {
      if (this.theirs === undefined) throw new Error('a candidate before a description')
      if (candidate !== 'null') this.places += 1
      this.meet()
    }
    meet() {
      const other = peers.get(this.theirs)
      if (other?.theirs !== this.id || this.places === 0 || other.places === 0) return
      if (this.channel.peer !== undefined || this.closed || other.closed) return
      const sides = [[this, other], [other, this]]
      if (sides.some(([side, far]) => side.certificate !== far.id)) {
        for (const [side] of sides) setTimeout(() => side.end('a wrong certificate'), 0)
        return
      }
      for (const [side, far] of sides) {
        side.channel.peer = far.channel
        side.channel.paused = false
        setTimeout(() => side.channel.handlers?.open(), 0)
      }
    }
    close() {
      this.end('')
    }
    end(reason) {
      if (this.closed) return
      this.closed = true
      if (this.channel.peer === undefined) this.channel.handlers?.close(reason)
      else this.channel.end(reason)
      this.handlers?.close(reason)
    }
  }

  // What habits name as `peers` are the habits of the peer connections that the host lends.
  const lending = (habits) => {
    if (habits.peers === undefined) return {}
    return {
      peer() {
        if (habits.peers.throws) throw new Error('no peer connections today')
        return new Peer(habits.peers)
      },
    }
  }

  const host = (habits = {}) => ({
    ...lending(habits),
    dial(url) {
      if (habits.throws) throw Object.assign(new Error('no dialling today'), { code: 'EACCES' })
      return connect(habits, Number(new URL(url).port))
    },
    async listen(_host, wanted, onSocket) {
      if (listeners.has(wanted)) {
        throw Object.assign(new Error('the port is taken'), { code: 'EADDRINUSE' })
      }
      const mine = wanted === 0 ? (port += 1) : wanted
      listeners.set(mine, onSocket)
      return { port: mine, close: () => listeners.delete(mine) }
    },
  })

  return {
    host,
    dialOnly: (habits) => ({ dial: host(habits).dial }),
    // A caller that knows nothing of libp2p.
    raw: (to) => {
      const end = connect({}, to)
      end.setHandlers({ open() {}, message() {}, close() {}, drain() {} })
      return end
    },
    // Fills the other side's inbox at once.
    flood: (end, bytes, count) => {
      for (let i = 0; i < count; i += 1) end.send(new Uint8Array(bytes).fill(i))
    },
    pauses: () => sockets.reduce((sum, end) => sum + end.pauses, 0),
    // Peer connections: how many were made, and how many are not closed.
    peers: () => peers.size,
    openPeers: () => [...peers.values()].filter((peer) => !peer.closed).length,
    open: () => sockets.filter((end) => !end.closed).length,
    listening: () => listeners.size,
  }
}
