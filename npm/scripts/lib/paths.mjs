// Where things are. One place, so that no other script spells a directory.

import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
export const DIST = join(ROOT, 'dist')

/** The user's cache: compiled dependencies outlive a clone, so a second clone builds quickly. */
export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'synaptic-mesh')
export const CARGO_HOME = process.env.CARGO_HOME || join(homedir(), '.cargo')

/** Our own copies of build tools, used only where the user already has another version. */
export const TOOLS = join(CACHE, 'tools')

/** The environment every child gets: cargo on the path, one target directory for all clones. */
export function childEnvironment() {
  const separator = process.platform === 'win32' ? ';' : ':'
  const path = [join(TOOLS, 'bin'), process.env.PATH ?? '', join(CARGO_HOME, 'bin')]
  return {
    ...process.env,
    PATH: path.join(separator),
    CARGO_TARGET_DIR: process.env.CARGO_TARGET_DIR || join(CACHE, 'target'),
    // wasm-pack and cargo must never wait for an answer that nobody will type.
    CARGO_TERM_PROGRESS_WHEN: 'never',
  }
}
