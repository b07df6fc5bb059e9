/**
 * Who is connected: a small picture, and the same as a table.
 *
 * The picture is laid out by hand (this node in the middle, peers on one ring in the order of their
 * ids), so it is the same for the same peers and does not move by itself. Distance means nothing;
 * a solid line is a direct connection, a dashed one is relayed.
 */
import { type Peer, type State, shortId } from '../store.ts'
import { count, rtt } from '../words.ts'
import { Card, Copy } from './parts.tsx'

/** Peers drawn; the table has all of them. */
const DRAWN_MAX = 16
/** Transports by the names people know. */
const TRANSPORTS: Readonly<Record<string, string>> = {
  ws: 'WebSocket',
  wss: 'WebSocket, TLS',
  webrtc: 'WebRTC',
}
const WIDTH = 320
const HEIGHT = 200
/** Up to so many peers every edge carries its round-trip time. */
const TIMED_MAX = 8

export function MeshCard({ state }: { state: State }) {
  const peers = state.peers.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  return (
    <Card title="Mesh" note={state.network === null ? '' : `network ${shortId(state.network)}`}>
      <dl class="stats">
        <div class="stat">
          <dt>Peers</dt>
          <dd data-peers={peers.length}>{peers.length}</dd>
        </div>
      </dl>
      <Graph self={state.nodeId} peers={peers} owner={state.mode === 'owner'} />
      {peers.length === 0 ? <Lonely state={state} /> : <Table peers={peers} />}
      <Self state={state} />
    </Card>
  )
}

function Self({ state }: { state: State }) {
  return (
    <dl class="facts">
      <dt>{state.mode === 'owner' ? 'This node' : 'This tab'}</dt>
      <dd class="id">
        <code data-node-id={state.nodeId ?? ''}>{state.nodeId ?? ''}</code>
        {state.nodeId !== null && <Copy text={state.nodeId} label="the node id" />}
      </dd>
      {state.slot !== null && state.slot > 0 && (
        <>
          <dt>Profile</dt>
          <dd>{`tab ${state.slot + 1} of this browser, with an identity of its own`}</dd>
        </>
      )}
      {state.invite !== null && (
        <>
          <dt>Invite</dt>
          <dd class="id">
            <code>{state.invite}</code>
            <Copy text={state.invite} label="the join link" />
          </dd>
        </>
      )}
    </dl>
  )
}

function Lonely({ state }: { state: State }) {
  return (
    <p class="empty">
      {state.mode === 'owner'
        ? 'Nobody else is here. Send the join link below, or open it in another tab.'
        : 'Nobody is connected right now. The node keeps trying the addresses it knows.'}
    </p>
  )
}

function Table({ peers }: { peers: readonly Peer[] }) {
  return (
    <table>
      <caption class="unseen">Connected peers</caption>
      <thead>
        <tr>
          <th scope="col">Peer</th>
          <th scope="col">Path</th>
          <th scope="col" class="number">
            Round trip
          </th>
        </tr>
      </thead>
      <tbody>
        {peers.map((peer) => (
          <tr key={peer.id}>
            <td>
              <code title={peer.id}>{shortId(peer.id)}</code>
            </td>
            <td>{`${peer.path}, ${TRANSPORTS[peer.transport] ?? peer.transport}`}</td>
            <td class="number">{rtt(peer.rttMs)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

interface GraphProps {
  readonly self: string | null
  readonly peers: readonly Peer[]
  readonly owner: boolean
}

function Graph({ self, peers, owner }: GraphProps) {
  const drawn = peers.slice(0, DRAWN_MAX)
  const rest = peers.length - drawn.length
  const centre = { x: WIDTH / 2, y: HEIGHT / 2 }
  return (
    <svg
      class="graph"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={`${count(peers.length, 'peer')} connected to ${owner ? 'this node' : 'this tab'}`}
    >
      {drawn.map((peer, index) => {
        const place = onRing(index, drawn.length)
        const dashed = peer.path !== 'direct'
        return (
          <line
            key={peer.id}
            class={dashed ? 'edge relayed' : 'edge'}
            x1={centre.x}
            y1={centre.y}
            x2={place.x}
            y2={place.y}
          />
        )
      })}
      {drawn.length <= TIMED_MAX &&
        drawn.map((peer, index) => {
          if (peer.rttMs === null) return null
          const place = onRing(index, drawn.length)
          return (
            <text
              key={peer.id}
              class="time"
              x={centre.x + (place.x - centre.x) * 0.55}
              y={centre.y + (place.y - centre.y) * 0.55 + 4}
              text-anchor="middle"
            >
              {rtt(peer.rttMs)}
            </text>
          )
        })}
      {drawn.map((peer, index) => (
        <Dot key={peer.id} at={onRing(index, drawn.length)} text={shortId(peer.id)} kind="peer" />
      ))}
      <Dot at={centre} text={self === null ? '' : 'you'} kind="self" />
      {rest > 0 && (
        <text class="more" x={WIDTH - 8} y={HEIGHT - 8} text-anchor="end">
          {`and ${rest} more`}
        </text>
      )}
    </svg>
  )
}

type Place = { readonly x: number; readonly y: number }

/** A member. Labels stand on the far side of the edge: above in the upper half, below in the lower. */
function Dot({ at, text, kind }: { at: Place; text: string; kind: 'peer' | 'self' }) {
  const self = kind === 'self'
  const radius = self ? 9 : 6
  const above = at.y < HEIGHT / 2
  const label = self
    ? { x: at.x + 13, y: at.y - 10 }
    : { x: at.x, y: above ? at.y - radius - 6 : at.y + radius + 14 }
  return (
    <g class={`dot ${kind}`}>
      <circle cx={at.x} cy={at.y} r={radius} />
      <text x={label.x} y={label.y} text-anchor={self ? 'start' : 'middle'}>
        {text}
      </text>
    </g>
  )
}

/** The place of one of `total` peers. */
function onRing(index: number, total: number): Place {
  // One or two peers stand beside this node; from three on the first is at the top.
  const start = total < 3 ? 0 : -Math.PI / 2
  const angle = (index / Math.max(1, total)) * 2 * Math.PI + start
  return {
    x: WIDTH / 2 + Math.cos(angle) * (WIDTH / 2 - 36),
    y: HEIGHT / 2 + Math.sin(angle) * (HEIGHT / 2 - 30),
  }
}
