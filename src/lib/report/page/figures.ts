import {html, type Markup} from '../html.js'
import type {Figure} from '../report-data.js'

/** Figures as cards: label, value with unit, and one line of context; what was not measured says so. */
export function figureCards(figures: readonly Figure[]): Markup {
  return html`<dl class="cards">${figures.map(card)}</dl>`
}

function card(figure: Figure): Markup {
  const value =
    figure.value === null
      ? html`<dd class="unknown">not measured</dd>`
      : html`<dd>
          ${figure.value}${figure.unit === '' ? null : html`<span class="unit">${figure.unit}</span>`}
        </dd>`
  return html`<div>
    <dt>${figure.label}</dt>
    ${value}
    <dd class="detail">${figure.detail}</dd>
  </div>`
}
