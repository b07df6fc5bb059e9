// A host without a network: sockets in memory, with the habits of real ones and with bad ones on
// demand. Evaluates to a function that makes a hub of hosts that can call each other.
() => {
  const listeners = new Map()
  let port = 1000
  const sockets = []

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

  const host = (habits = {}) => ({
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
    open: () => sockets.filter((end) => !end.closed).length,
    listening: () => listeners.size,
  }
}
