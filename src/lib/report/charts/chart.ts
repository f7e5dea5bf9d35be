import type {Role} from '../palette.js'
import type {ChartOption} from '../render-svg.js'

export interface LegendEntry {
  readonly role: Role
  readonly shape: 'line' | 'dash' | 'dotted' | 'area' | 'dot'
  readonly label: string
}

/** How wide a drawing is; each chart is drawn once for each, and the page shows the one that fits. */
export interface Frame {
  readonly name: 'wide' | 'medium' | 'narrow'
  readonly width: number
  readonly height: number
}

/** A chart before it is drawn. */
export interface Chart {
  readonly id: string
  readonly title: string
  /** One sentence under the title: what to read off it. */
  readonly reading: string
  readonly legend: readonly LegendEntry[]
  /** How it was drawn from more data than it shows, if so. */
  readonly note: string | null
  /** For those who cannot see it: the shape in words and figures. */
  readonly description: string
  /** Drawn higher than the others by this factor. */
  readonly stretch?: number
  readonly draw: (frame: Frame) => ChartOption
}

/** A chart that cannot be drawn, and why. */
export interface AbsentChart {
  readonly id: string
  readonly title: string
  readonly reason: string
}

export const FRAMES: readonly Frame[] = [
  {name: 'wide', width: 980, height: 250},
  {name: 'medium', width: 640, height: 250},
  {name: 'narrow', width: 380, height: 230},
]
