/**
 * Where an identity, its settings and its history live.
 *
 * One of, in this order: `--home`, the variable SYNAPTIC_HOME, `./.synaptic` when `init` ran in
 * this directory, and the places the operating system sets aside for a user's programs (the XDG
 * base directories on Linux). The first three keep everything in one directory.
 */
import * as os from 'node:os'
import * as path from 'node:path'
import { SynapticError, usageError } from './errors.js'
import { exists } from './files.js'

/** Name of the directory that `init` makes inside a project. */
export const PROJECT_DIRECTORY = '.synaptic'

const PROGRAM = 'synaptic-mesh'

/** Every path the program uses for one identity. */
export interface Home {
  /** What `--json` calls `home`: the directory of the identity. */
  readonly directory: string
  /** Which rule chose it. */
  readonly origin: 'flag' | 'env' | 'project' | 'user'
  /** The identity's secrets, mode 0600. */
  readonly identityFile: string
  /** Settings of this home; in the user's own home this is the user configuration. */
  readonly configFile: string
  /** Address and token of the running node, mode 0600. */
  readonly controlFile: string
  /** Process id of the one writer. */
  readonly lockFile: string
}

/** The environment a path is resolved in; handed in so that tests need no real one. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly userHome: string
  readonly platform: string
}

/** The surroundings of this process. */
export function surroundings(): Surroundings {
  return {
    env: process.env,
    cwd: process.cwd(),
    userHome: os.homedir(),
    platform: process.platform,
  }
}

/** Base directories of the user: settings, data, and state that may be lost. */
interface UserDirectories {
  readonly config: string
  readonly data: string
  readonly state: string
}

function userDirectories({ env, userHome, platform }: Surroundings): UserDirectories {
  if (!path.isAbsolute(userHome)) {
    throw new SynapticError(
      'bad-home',
      `the home directory of the user is ${JSON.stringify(userHome)}, not an absolute path`,
      'set HOME to the full path of your home directory',
    )
  }
  if (platform === 'win32') {
    const roaming = env.APPDATA ?? path.join(userHome, 'AppData', 'Roaming')
    const local = env.LOCALAPPDATA ?? path.join(userHome, 'AppData', 'Local')
    const data = path.join(local, PROGRAM)
    return { config: path.join(roaming, PROGRAM), data, state: data }
  }
  if (platform === 'darwin') {
    const data = path.join(userHome, 'Library', 'Application Support', PROGRAM)
    return { config: data, data, state: data }
  }
  return {
    config: path.join(xdg(env.XDG_CONFIG_HOME, userHome, '.config'), PROGRAM),
    data: path.join(xdg(env.XDG_DATA_HOME, userHome, '.local/share'), PROGRAM),
    state: path.join(
      absolute(env.XDG_RUNTIME_DIR) ?? xdg(env.XDG_STATE_HOME, userHome, '.local/state'),
      PROGRAM,
    ),
  }
}

/** The XDG specification tells programs to ignore relative values. */
function absolute(value: string | undefined): string | undefined {
  return value !== undefined && path.isAbsolute(value) ? value : undefined
}

function xdg(value: string | undefined, userHome: string, fallback: string): string {
  return absolute(value) ?? path.join(userHome, fallback)
}

/** File of the user's own settings, which hold for every home. */
export function userConfigFile(around: Surroundings): string {
  return path.join(userDirectories(around).config, 'config.json')
}

/** A home that keeps everything in one directory. */
export function homeAt(directory: string, origin: Home['origin']): Home {
  return {
    directory,
    origin,
    identityFile: path.join(directory, 'identity.key'),
    configFile: path.join(directory, 'config.json'),
    controlFile: path.join(directory, 'control.json'),
    lockFile: path.join(directory, 'lock'),
  }
}

/** The home of the user, spread over the directories of the operating system. */
export function userHome(around: Surroundings): Home {
  const directories = userDirectories(around)
  return {
    ...homeAt(directories.data, 'user'),
    configFile: path.join(directories.config, 'config.json'),
    controlFile: path.join(directories.state, 'control.json'),
  }
}

/** The home a command works on. */
export function resolveHome(flag: string | undefined, around: Surroundings): Home {
  if (flag === '') {
    throw usageError('--home is empty', 'name a directory; an unset variable gives nothing')
  }
  if (flag !== undefined) return homeAt(path.resolve(around.cwd, flag), 'flag')
  const fromEnvironment = around.env.SYNAPTIC_HOME
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    return homeAt(path.resolve(around.cwd, fromEnvironment), 'env')
  }
  const project = homeAt(path.join(around.cwd, PROJECT_DIRECTORY), 'project')
  if (exists(project.identityFile)) return project
  return userHome(around)
}

/** Directory of one network's history inside a home. */
export function networkDirectory(home: Home, network: string): string {
  return path.join(home.directory, 'networks', network)
}

/** File with what one network began with, if anything is ever final in it. */
export function genesisFile(home: Home, network: string): string {
  return path.join(networkDirectory(home, network), 'genesis.cbor')
}

/** File with the invite that one network was joined with, mode 0600: whoever has it may enter. */
export function inviteFile(home: Home, network: string): string {
  return path.join(networkDirectory(home, network), 'invite.cbor')
}

/** The error of every command that needs an identity where there is none. */
export function notInitialised(home: Home): SynapticError {
  return new SynapticError(
    'not-initialised',
    `there is no identity in ${home.directory}`,
    'run `synaptic-mesh init` first',
  )
}

/** Advice with the commands in it as they have to be typed for a home that is not the usual one. */
export function forHome(advice: string, { directory, origin }: Home): string {
  if (origin !== 'flag') return advice
  const place = /^[\w./@:+-]+$/.test(directory)
    ? directory
    : `'${directory.replaceAll("'", "'\\''")}'`
  return advice.replaceAll(
    /`synaptic-mesh (?![^`]*--home)/g,
    () => `\`synaptic-mesh --home ${place} `,
  )
}

/** A command as it has to be typed for a home. */
export function commandFor(command: string, home: Home): string {
  return forHome(`\`synaptic-mesh ${command}\``, home).slice(1, -1)
}
