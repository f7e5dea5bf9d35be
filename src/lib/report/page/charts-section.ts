import {FRAMES, type AbsentChart, type Chart, type Frame, type LegendEntry} from '../charts/chart.js'
import {html, type Markup} from '../html.js'
import type {SvgRenderer} from '../render-svg.js'

/** A chart with its title, legend and the drawings for each width, or the reason for its absence. */
export function chartFigure(chart: Chart | AbsentChart, render: SvgRenderer): Markup {
  if ('reason' in chart) {
    return html`<figure class="chart" id="${chart.id}">
      <h3>${chart.title}</h3>
      <p class="absent">${chart.reason}</p>
    </figure> `
  }
  return html`<figure class="chart" id="${chart.id}">
    <figcaption>
      <h3>${chart.title}</h3>
      <p class="reading">${chart.reading}</p>
    </figcaption>
    <ul class="legend">
      ${chart.legend.map(legendEntry)}
    </ul>
    <div class="plots">${FRAMES.map(frame => drawing(chart, frame, render))}</div>
    ${chart.note === null ? null : html`<p class="note">${chart.note}</p>`}
  </figure> `
}

function legendEntry(entry: LegendEntry): Markup {
  return html`<li class="${entry.shape}"><i style="--tint:var(--${entry.role})"></i>${entry.label}</li>`
}

function drawing(chart: Chart, frame: Frame, render: SvgRenderer): Markup {
  const size = {...frame, height: Math.round(frame.height * (chart.stretch ?? 1))}
  const svg = render(`${chart.id}-${frame.name}`, chart.title, chart.description, size, chart.draw(size))
  return html`<div class="plot ${frame.name}">${svg}</div> `
}
