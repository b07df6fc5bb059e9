/**
 * One headless Chromium tab, driven over the DevTools protocol through `ws`.
 *
 * A hundred lines instead of a browser library, because the demo is part of the package and must
 * bring no dependency for it. The browser gets a profile of its own that is removed at the end.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'
import { SynapticError } from '../errors.js'

/** Programs that are looked for, in this order, after the one the user names. */
const PROGRAMS = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'microsoft-edge',
]
/** Places outside PATH on macOS and Windows. */
const PLACES = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
]
/** A cold browser on a busy machine takes a while. */
const LAUNCH_TIMEOUT_MS = 60_000
/** No single protocol call takes longer. */
const CALL_TIMEOUT_MS = 30_000
/** How often a condition in the page is looked at. */
const POLL_MS = 100
/**
 * Chromium puts a socket in its temporary directory, as `org.chromium.Chromium.`, six characters and
 * `/SingletonSocket` (45 bytes with the slash), and ends at once where that is more than an address holds: 104 bytes
 * with the zero at its end on macOS, 108 on Linux.
 */
const FOLDER_BYTES_MAX = 104 - 1 - 45
/** Name of a browser's directory, to which six characters are added. */
const FOLDER_PREFIX = 'synaptic-mesh-tab-'
/** Time for an orderly end before the processes are ended. */
const CLOSE_TIMEOUT_MS = 3_000

const FLAGS = [
  '--headless=new',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-dev-shm-usage',
  '--disable-extensions',
  '--disable-sync',
  '--metrics-recording-only',
  '--mute-audio',
  '--remote-debugging-port=0',
]

/** The Chromium of this machine, or undefined. */
export function findChromium(
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const named = env.SYNAPTIC_CHROMIUM || env.CHROMIUM || ''
  if (named !== '') return isProgram(named) ? named : undefined
  const directories = (env.PATH ?? '').split(path.delimiter).filter((entry) => entry !== '')
  const candidates = PROGRAMS.flatMap((name) => directories.map((dir) => path.join(dir, name)))
  return [...candidates, ...PLACES].find(isProgram)
}

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}

/** Where a browser's directory goes: the place for temporary files, unless its path is too long. */
export function folderPrefix(place: string, platform: string): string {
  const prefix = path.join(place, FOLDER_PREFIX)
  const fits = platform === 'win32' || Buffer.byteLength(prefix) + 6 <= FOLDER_BYTES_MAX
  return fits ? prefix : path.join('/tmp', FOLDER_PREFIX)
}

interface Pending {
  resolve(result: Record<string, unknown>): void
  reject(error: Error): void
}

/** A browser with one tab. */
export class Tab {
  readonly #process: ChildProcess
  readonly #folder: string
  readonly #pending = new Map<number, Pending>()
  #socket: WebSocket | undefined
  #session: string | undefined
  #nextId = 1

  private constructor(process: ChildProcess, folder: string) {
    this.#process = process
    this.#folder = folder
  }

  /** Starts a browser. From this call on it has to be closed, whatever comes of it. */
  static launch(program: string): Tab {
    // Its temporary files are in there as well, so that nothing stays behind if it is killed.
    const folder = fs.mkdtempSync(folderPrefix(os.tmpdir(), process.platform))
    const root = process.getuid?.() === 0
    const args = [...FLAGS, ...(root ? ['--no-sandbox'] : []), `--user-data-dir=${folder}/profile`]
    // A group of its own, so that all of its processes can be ended together.
    const child = spawn(program, [...args, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
      env: { ...process.env, TMPDIR: folder },
    })
    return new Tab(child, folder)
  }

  /**
   * Opens an address in the one tab.
   *
   * @throws SynapticError `browser-failed`
   */
  async open(url: string): Promise<void> {
    await this.#connect(await endpointOf(this.#process))
    await this.#call('Page.navigate', { url })
  }

  /** The value of an expression in the page, as JSON carries it. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.#call('Runtime.evaluate', { expression, returnByValue: true })
    const { result, exceptionDetails } = answer as {
      result?: { value?: T }
      exceptionDetails?: { text?: string }
    }
    if (exceptionDetails !== undefined) {
      throw new SynapticError('browser-failed', `the page failed: ${exceptionDetails.text ?? ''}`)
    }
    return result?.value as T
  }

  /** Waits until an expression gives something true, and gives it. */
  async until<T>(expression: string, what: string, timeoutMs: number): Promise<T> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const value = await this.evaluate<T>(expression)
      if (value !== undefined && value !== null && value !== false && value !== '') return value
      if (performance.now() > deadline) {
        const page = await this.evaluate<string>('document.body.innerText.slice(0, 400)')
        const shown = page.replaceAll(/\s+/g, ' ')
        throw new SynapticError('timeout', `the tab did not ${what} in time; it shows: ${shown}`)
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  /** Clicks an element once it is there and enabled. */
  async click(selector: string, timeoutMs: number): Promise<void> {
    const click = `((element) => {
      if (element === null || element.disabled) return false
      element.click()
      return true
    })(document.querySelector(${JSON.stringify(selector)}))`
    await this.until(click, `offer ${selector}`, timeoutMs)
  }

  /** Picks a file in a file input, as a user would. */
  async pick(selector: string, file: string): Promise<void> {
    const expression = `document.querySelector(${JSON.stringify(selector)})`
    await this.until(`${expression} !== null`, `show ${selector}`, CALL_TIMEOUT_MS)
    const answer = await this.#call('Runtime.evaluate', { expression })
    const { objectId } = (answer as { result: { objectId?: string } }).result
    await this.#call('DOM.setFileInputFiles', { files: [file], objectId })
  }

  /** Ends the browser with all its processes and removes its profile. */
  async close(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) resolve()
      else this.#process.once('exit', () => resolve())
    })
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ id: 0, method: 'Browser.close' }))
    }
    const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS).unref())
    await Promise.race([ended, late])
    this.#endProcesses()
    await Promise.race([ended, late])
    this.#socket?.terminate()
    this.#removeFolder()
  }

  /** As {@link Tab.close}, at once and without an order: for the end of this process. */
  end(): void {
    this.#endProcesses()
    this.#removeFolder()
  }

  #endProcesses(): void {
    const { pid } = this.#process
    if (pid !== undefined) endGroup(pid)
  }

  #removeFolder(): void {
    fs.rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }

  async #connect(endpoint: string): Promise<void> {
    const socket = new WebSocket(endpoint, { perMessageDeflate: false })
    this.#socket = socket
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    socket.on('message', (data) => this.#receive(String(data)))
    socket.on('close', () => {
      const error = new SynapticError('browser-failed', 'the browser has ended')
      for (const { reject } of this.#pending.values()) reject(error)
      this.#pending.clear()
    })
    const { targetId } = await this.#call('Target.createTarget', { url: 'about:blank' })
    const attached = await this.#call('Target.attachToTarget', { targetId, flatten: true })
    this.#session = String(attached.sessionId)
    await this.#call('Page.enable', {})
  }

  #receive(text: string): void {
    const { id, result, error } = JSON.parse(text) as {
      id?: number
      result?: Record<string, unknown>
      error?: { message: string }
    }
    const pending = id === undefined ? undefined : this.#pending.get(id)
    if (id === undefined || pending === undefined) return
    this.#pending.delete(id)
    if (error === undefined) pending.resolve(result ?? {})
    else pending.reject(new SynapticError('browser-failed', error.message))
  }

  #call(method: string, params: object): Promise<Record<string, unknown>> {
    const id = this.#nextId
    this.#nextId += 1
    const sessionId = this.#session
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id)
        reject(new SynapticError('timeout', `the browser did not answer ${method}`))
      }, CALL_TIMEOUT_MS)
      const settle = <T>(then: (value: T) => void): ((value: T) => void) => {
        return (value) => {
          clearTimeout(timer)
          then(value)
        }
      }
      this.#pending.set(id, { resolve: settle(resolve), reject: settle(reject) })
      this.#socket?.send(JSON.stringify({ id, method, params, sessionId }))
    })
  }
}

/** The address on which a starting browser listens for us; it prints it. */
function endpointOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const words: string[] = []
    const fail = (reason: string): void => {
      reject(
        new SynapticError(
          'browser-failed',
          `${child.spawnfile} did not start: ${reason}`,
          'run the demo with --no-tab, or name another browser in SYNAPTIC_CHROMIUM',
        ),
      )
    }
    const timer = setTimeout(() => fail('no answer in time'), LAUNCH_TIMEOUT_MS)
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code) => fail(`exit code ${code}: ${words.slice(-3).join(' ')}`))
    if (child.stderr === null) return
    createInterface({ input: child.stderr }).on('line', (line) => {
      words.push(line)
      if (words.length > 20) words.shift()
      const endpoint = /DevTools listening on (ws:\/\/\S+)/.exec(line)?.[1]
      if (endpoint === undefined) return
      clearTimeout(timer)
      resolve(endpoint)
    })
  })
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of them have ended already.
  }
}
