/**
 * Accuracy over rounds, live. uPlot draws on a canvas; the table beside it says the same in text.
 *
 * Colours are read from the style sheet at every draw, so light and dark need no second chart.
 */
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'

import type { Point } from '../store.ts'
import { accuracy } from '../words.ts'

interface PlotProps {
  readonly points: readonly Point[]
  readonly rounds: number
  /** What this tab's rows reach alone: a level line. */
  readonly alone: number | null
  /** What to say while there is nothing to draw. */
  readonly empty: string
}

const HEIGHT_PX = 240

export function Plot({ points, rounds, alone, empty }: PlotProps) {
  const place = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | null>(null)
  const measured = points.some((point) => point.together !== null || point.local !== null)
  useEffect(() => {
    const element = place.current
    if (element === null || !measured) return
    const made = new uPlot(options(element.clientWidth), [[], [], [], []], element)
    chart.current = made
    const stop = follow(element, made)
    return () => {
      stop()
      made.destroy()
      chart.current = null
    }
  }, [measured])
  useEffect(() => {
    chart.current?.setData(series(points, rounds, alone))
  }, [points, rounds, alone, measured])
  if (!measured) return <p class="empty plot-empty">{empty}</p>
  return (
    <figure class="plot">
      <div ref={place} role="img" aria-label={spoken(points)} />
      <figcaption>
        <span class="key together">Together</span>
        <span class="key local">This member before averaging, own rows</span>
        {alone !== null && <span class="key alone">Alone</span>}
      </figcaption>
    </figure>
  )
}

/** Rows of uPlot: rounds, together, local, alone. Gaps stay gaps. */
function series(points: readonly Point[], rounds: number, alone: number | null): uPlot.AlignedData {
  const shown = points.filter((point) => point.together !== null || point.local !== null)
  const first = shown[0]?.round ?? 1
  const ends = [first, Math.max(rounds, shown.at(-1)?.round ?? rounds)]
  const xs = [...new Set([...shown.map(({ round }) => round), ...ends])].sort((a, b) => a - b)
  const at = new Map(shown.map((point) => [point.round, point]))
  return [
    xs,
    xs.map((round) => at.get(round)?.together ?? null),
    xs.map((round) => at.get(round)?.local ?? null),
    xs.map(() => alone),
  ]
}

function options(width: number): uPlot.Options {
  const colour = (name: string) => () =>
    getComputedStyle(document.body).getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  }
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    scales: { x: { time: false }, y: { range: [0, 1] } },
    axes: [
      { ...axis, grid: { show: false }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500], size: 28 },
      { ...axis, size: 40, values: (_, marks) => marks.map((mark) => mark.toFixed(1)) },
    ],
    series: [
      {},
      {
        stroke: colour('--accent'),
        width: 2.5,
        points: { size: 5, fill: colour('--accent') },
        spanGaps: true,
      },
      { stroke: colour('--faint'), width: 1.5, points: { show: false }, spanGaps: true },
      {
        stroke: colour('--warm'),
        width: 1.5,
        dash: [6, 5],
        points: { show: false },
        spanGaps: true,
      },
    ],
  }
}

/** Keeps the chart as wide as its place, and redraws it when the colour scheme changes. */
function follow(element: HTMLElement, chart: uPlot): () => void {
  const sizes = new ResizeObserver(() => {
    if (element.clientWidth !== chart.width) {
      chart.setSize({ width: element.clientWidth, height: HEIGHT_PX })
    }
  })
  sizes.observe(element)
  const scheme = matchMedia('(prefers-color-scheme: dark)')
  const redraw = () => chart.redraw()
  scheme.addEventListener('change', redraw)
  return () => {
    sizes.disconnect()
    scheme.removeEventListener('change', redraw)
  }
}

function spoken(points: readonly Point[]): string {
  const last = points.findLast((point) => point.together !== null)
  if (last === undefined || last.together === null) return 'Accuracy over rounds'
  return `Accuracy over rounds; ${accuracy(last.together)} after round ${last.round}`
}
