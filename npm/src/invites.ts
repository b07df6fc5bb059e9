/**
 * Invites to a permissioned network: making them, what became of them, taking them back.
 *
 * Who may enter is decided by the core, from the genesis of the network and from its history. Here
 * is only what a person needs besides: join links, and a list that also has the invites nobody has
 * used yet, which the history knows nothing of.
 */
import { SynapticError, usageError } from './errors.js'
import { loadMesh, type MeshNode } from './wasm.js'

/** Shortest beginning of an id that names an invite: a forgotten word must name none. */
const ID_CHARS_MIN = 4

/** What an invite is made of. */
export interface InviteRequest {
  /** Node id of the only one it is for; for whoever has the link, if absent. */
  readonly node?: string | undefined
  /** How many may enter with it, 1 to 1000; 1 unless given. */
  readonly uses?: number | undefined
  /** For how long, in milliseconds, up to a year; a week unless given. */
  readonly lastsMs?: number | undefined
}

/** An invite that this node made. */
export interface MadeInvite {
  readonly id: string
  readonly uses: number
  /** Until when, in Unix milliseconds. */
  readonly untilMs: number
  /** The only one it is for; null for whoever has the link. */
  readonly node: string | null
}

/** A new invite, and the link that carries it. */
export interface NewInvite extends MadeInvite {
  /** A secret: whoever has it may enter. It is told once. */
  readonly link: string
}

/** An invite in the list. */
export interface InviteView {
  readonly id: string
  /** `open`: somebody may still enter with it. */
  readonly state: 'open' | 'used' | 'expired' | 'revoked'
  /** Node ids of those who entered with it, as far as known here. */
  readonly holders: readonly string[]
  /** What it was made with; null where another member made it. */
  readonly made: MadeInvite | null
}

/** Invites of the network. */
export interface InviteList {
  readonly invites: readonly InviteView[]
  /** Node ids of those who may invite. */
  readonly inviters: readonly string[]
}

/** Where the invites of this node are remembered. */
export interface InvitesMemory {
  recall(): readonly MadeInvite[]
  remember(made: readonly MadeInvite[]): void
}

const WEEK_MS = 7 * 86_400_000
/** Invites of its own that a node remembers; older ones still work. */
const REMEMBERED_MAX = 1_000

/** The invites of one node. */
export class Invites {
  readonly #core: MeshNode
  readonly #memory: InvitesMemory
  readonly #linkWith: (invite: Uint8Array) => string

  /** @internal */
  constructor(core: MeshNode, memory: InvitesMemory, linkWith: (invite: Uint8Array) => string) {
    this.#core = core
    this.#memory = memory
    this.#linkWith = linkWith
  }

  /**
   * Makes an invite. The link is a secret of whoever gets it.
   *
   * @throws SynapticError `not-permissioned`, `not-inviter`, `invite-terms`, `bad-node-id`
   */
  async create({ node, uses = 1, lastsMs = WEEK_MS }: InviteRequest = {}): Promise<NewInvite> {
    const untilMs = Date.now() + lastsMs
    const invite = await this.#core.invite({
      ...(node === undefined ? {} : { node }),
      uses,
      untilMs,
    })
    const { id } = (await loadMesh()).inspectInvite(invite)
    const made = { id, uses, untilMs, node: node ?? null }
    const others = this.#memory.recall().filter((one) => one.id !== id)
    this.#memory.remember([...others, made].slice(-REMEMBERED_MAX))
    return { ...made, link: this.#linkWith(invite) }
  }

  /**
   * Invites that this node made, and those of others that were used or taken back.
   *
   * @throws SynapticError `not-permissioned`
   */
  async list(): Promise<InviteList> {
    const { invites, inviters } = await this.#core.invites()
    const seen = new Map(invites.map((invite) => [invite.id, invite]))
    const own = new Map(this.#memory.recall().map((made) => [made.id, made]))
    const ids = [...new Set([...own.keys(), ...seen.keys()])]
    const now = Date.now()
    const views = ids.map((id): InviteView => {
      const made = own.get(id) ?? null
      const { holders, revoked } = seen.get(id) ?? { holders: [], revoked: false }
      return { id, state: stateOf(made, holders.length, revoked, now), holders, made }
    })
    return { invites: views, inviters }
  }

  /**
   * Takes an invite back, by its id or a beginning of it that is unique. Who has entered stays.
   *
   * @returns its id
   * @throws SynapticError `not-permissioned`, `not-inviter`, `no-such-invite`
   */
  async revoke(invite: string): Promise<string> {
    if (invite.length < ID_CHARS_MIN) {
      throw usageError(
        `"${invite}" is too short for the id of an invite`,
        `give ${ID_CHARS_MIN} characters of it at least; \`synaptic-mesh invite list\` shows them`,
      )
    }
    const { invites } = await this.list()
    const meant = invites.filter(({ id }) => id.startsWith(invite)).map(({ id }) => id)
    if (meant.length > 1) {
      throw usageError(`${meant.length} invites begin with "${invite}"`, 'give more of the id')
    }
    const id = meant[0] ?? invite
    if (meant.length === 0 && !/^[a-z2-7]{51}[aq]$/.test(invite)) {
      throw new SynapticError(
        'no-such-invite',
        `no invite begins with "${invite}"`,
        '`synaptic-mesh invite list` shows those that this node made or saw used',
      )
    }
    await this.#core.revokeInvite(id)
    return id
  }
}

function stateOf(
  made: MadeInvite | null,
  used: number,
  revoked: boolean,
  now: number,
): InviteView['state'] {
  if (revoked) return 'revoked'
  if (made !== null && used < made.uses) return now > made.untilMs ? 'expired' : 'open'
  return 'used'
}
