/** Members as dots on a circle, connections as threads, messages as lights on their way. */
import { useEffect, useRef } from 'preact/hooks'

import { advance, LOST_MS, links, members, now, selected, underWay } from './session.ts'

/** Share of the picture that the circle takes; the rest is for names. */
const RADIUS = 0.43
/** More members than this have no room for names. */
const NAMES_MAX = 60

interface Place {
  readonly x: number
  readonly y: number
}

export function Picture() {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    let last = performance.now()
    let frame = requestAnimationFrame(function draw(at) {
      advance(at - last)
      last = at
      if (canvas.current !== null) paint(canvas.current)
      frame = requestAnimationFrame(draw)
    })
    return () => cancelAnimationFrame(frame)
  }, [])
  return (
    <canvas
      ref={canvas}
      class="picture"
      role="img"
      aria-label="Members on a circle; the table below names them"
      onClick={(event) => canvas.current !== null && pick(canvas.current, event)}
    />
  )
}

/** Selects the member nearest to a click, or one less if it was selected. */
function pick(canvas: HTMLCanvasElement, event: MouseEvent): void {
  const box = canvas.getBoundingClientRect()
  const at = { x: event.clientX - box.left, y: event.clientY - box.top }
  const count = members.value.length
  const far = (node: number) => {
    const place = placeOf(node, count, box.width)
    return Math.hypot(place.x - at.x, place.y - at.y)
  }
  const nearest = Array.from({ length: count }, (_, node) => node).sort(
    (a, b) => far(a) - far(b),
  )[0]
  if (nearest === undefined || far(nearest) > 24) return
  toggle(nearest)
}

export function toggle(node: number): void {
  const next = new Set(selected.value)
  if (!next.delete(node)) next.add(node)
  selected.value = next
}

function placeOf(node: number, count: number, size: number): Place {
  const angle = (node / Math.max(count, 1)) * 2 * Math.PI - Math.PI / 2
  const radius = RADIUS * size
  return { x: size / 2 + radius * Math.cos(angle), y: size / 2 + radius * Math.sin(angle) }
}

function paint(canvas: HTMLCanvasElement): void {
  const size = canvas.clientWidth
  const dots = devicePixelRatio
  if (canvas.width !== Math.round(size * dots)) {
    canvas.width = Math.round(size * dots)
    canvas.height = canvas.width
  }
  const pen = canvas.getContext('2d')
  if (pen === null) return
  pen.setTransform(dots, 0, 0, dots, 0, 0)
  pen.clearRect(0, 0, size, size)
  const style = getComputedStyle(canvas)
  const colour = (name: string) => style.getPropertyValue(name)
  const count = members.value.length
  const place = (node: number) => placeOf(node, count, size)
  threads(pen, place, colour('--line'))
  lights(pen, place, colour('--accent'), colour('--bad'))
  people(pen, place, colour)
}

function threads(pen: CanvasRenderingContext2D, place: (n: number) => Place, colour: string): void {
  pen.strokeStyle = colour
  pen.lineWidth = 1
  pen.beginPath()
  for (let index = 0; index + 1 < links.value.length; index += 2) {
    const from = place(links.value[index] ?? 0)
    const to = place(links.value[index + 1] ?? 0)
    pen.moveTo(from.x, from.y)
    pen.lineTo(to.x, to.y)
  }
  pen.stroke()
}

function lights(
  pen: CanvasRenderingContext2D,
  place: (node: number) => Place,
  arrives: string,
  lost: string,
): void {
  for (const { from, to, since, until } of underWay()) {
    const whole = Number.isNaN(until) ? 3 * LOST_MS : until - since
    const share = Math.max(0, Math.min(1, (now.value - since) / Math.max(whole, 0.001)))
    const [start, goal] = [place(from), place(to)]
    pen.fillStyle = Number.isNaN(until) ? lost : arrives
    pen.beginPath()
    const x = start.x + (goal.x - start.x) * share
    const y = start.y + (goal.y - start.y) * share
    pen.arc(x, y, 2, 0, 2 * Math.PI)
    pen.fill()
  }
}

function people(
  pen: CanvasRenderingContext2D,
  place: (node: number) => Place,
  colour: (name: string) => string,
): void {
  const most = members.value.reduce((max, { vertices }) => Math.max(max, vertices), 1)
  const fills = { up: '--accent', down: '--bg', frozen: '--faint', Byzantine: '--bad' } as const
  const size = pen.canvas.clientWidth
  const dot = Math.max(3, Math.min(9, (size * 0.9) / members.value.length))
  pen.textAlign = 'center'
  pen.textBaseline = 'middle'
  pen.font = '11px system-ui, sans-serif'
  members.value.forEach(({ condition, vertices }, node) => {
    const { x, y } = place(node)
    pen.beginPath()
    pen.arc(x, y, dot, 0, 2 * Math.PI)
    // Who lacks a part of the history is paler.
    pen.globalAlpha = condition === 'up' ? 0.3 + 0.7 * (vertices / most) ** 2 : 1
    pen.fillStyle = colour(fills[condition])
    pen.fill()
    pen.globalAlpha = 1
    pen.strokeStyle = selected.value.has(node) ? colour('--warm') : colour('--muted')
    pen.lineWidth = selected.value.has(node) ? 3 : 1
    pen.stroke()
    if (members.value.length > NAMES_MAX) return
    pen.fillStyle = colour('--muted')
    const out = 1 + (dot + 11) / (RADIUS * size)
    pen.fillText(`${node}`, size / 2 + (x - size / 2) * out, size / 2 + (y - size / 2) * out)
  })
}
