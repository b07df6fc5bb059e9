/**
 * Small charts of one value over rounds, as SVG. They are told apart by shape and not by colour, and
 * each stands beside a table with its figures, so the picture itself is only named to readers of
 * screens.
 */

const WIDTH = 320
const HEIGHT = 150
const LEFT = 44
const BOTTOM = 20
const TOP = 8
/** Beyond so many points a mark for each would be a smear. */
const MARKS_MAX = 60

/** One value of a round; null where there is none. */
export interface At {
  readonly round: number
  readonly value: number | null
}

interface ChartProps {
  readonly title: string
  readonly points: readonly At[]
  /** The highest value of the axis; by the points if absent. */
  readonly max?: number
  /** How a value is written at the axis. */
  readonly text: (value: number) => string
  readonly shape: 'line' | 'dashes' | 'bars'
  /** The stable name for automation: `data-chart`. */
  readonly hook: string
}

/** A line with round marks, a dashed line with square ones, or bars. */
export function Chart({ title, points, max, text, shape, hook }: ChartProps) {
  const shown = points.filter((point): point is Shown => point.value !== null)
  const top = max ?? niceMax(Math.max(0, ...shown.map(({ value }) => value)))
  const first = points[0]?.round ?? 1
  const last = Math.max(first, points.at(-1)?.round ?? 1)
  const place: Place = {
    x: (round) => LEFT + ((round - first + 0.5) / (last - first + 1)) * (WIDTH - LEFT),
    y: (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM),
    step: (WIDTH - LEFT) / (last - first + 1),
  }
  return (
    <svg
      class="chart"
      data-chart={hook}
      data-points={shown.length}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={spoken(title, shown, text)}
    >
      {[0, top / 2, top].map((value) => (
        <g key={value}>
          <line class="grid" x1={LEFT} x2={WIDTH} y1={place.y(value)} y2={place.y(value)} />
          <text class="tick" x={LEFT - 6} y={place.y(value) + 4} text-anchor="end">
            {text(value)}
          </text>
        </g>
      ))}
      <text class="tick" x={LEFT} y={HEIGHT - 4}>{`round ${first}`}</text>
      <text class="tick" x={WIDTH} y={HEIGHT - 4} text-anchor="end">{`round ${last}`}</text>
      {shape === 'bars' ? (
        <Bars points={shown} place={place} />
      ) : (
        <Line points={shown} place={place} shape={shape} />
      )}
    </svg>
  )
}

interface Shown {
  readonly round: number
  readonly value: number
}

interface Place {
  x(round: number): number
  y(value: number): number
  readonly step: number
}

function Bars({ points, place }: { points: readonly Shown[]; place: Place }) {
  const width = Math.max(1, place.step * 0.7)
  return (
    <>
      {points.map(({ round, value }) => (
        <rect
          key={round}
          class="bar"
          x={place.x(round) - width / 2}
          width={width}
          y={place.y(value)}
          height={place.y(0) - place.y(value)}
        />
      ))}
    </>
  )
}

interface LineProps {
  readonly points: readonly Shown[]
  readonly place: Place
  readonly shape: 'line' | 'dashes'
}

function Line({ points, place, shape }: LineProps) {
  const corners = points.map(({ round, value }) => `${place.x(round)},${place.y(value)}`)
  const marks = points.length > MARKS_MAX ? points.slice(-1) : points
  return (
    <>
      <polyline class={`curve ${shape}`} points={corners.join(' ')} />
      {marks.map(({ round, value }) => {
        const [x, y] = [place.x(round), place.y(value)]
        return shape === 'line' ? (
          <circle key={round} class="mark-of" cx={x} cy={y} r={2.5} />
        ) : (
          <rect key={round} class="mark-of" x={x - 2.5} y={y - 2.5} width={5} height={5} />
        )
      })}
    </>
  )
}

/** 1, 2 or 5 times a power of ten, above the value. */
function niceMax(value: number): number {
  if (value <= 0) return 1
  const unit = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((times) => times * unit).find((limit) => limit >= value) ?? 10 * unit
}

function spoken(title: string, points: readonly Shown[], text: (value: number) => string): string {
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined) return `${title}: nothing yet`
  const ends = `${text(first.value)} in round ${first.round}, ${text(last.value)} in round ${last.round}`
  return `${title}: ${ends}; the figures are in the table beside it`
}
