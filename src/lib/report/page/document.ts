import {packageVersion} from '../../foundation/index.js'
import {html, type Markup} from '../html.js'
import {stylesheet} from './stylesheet.js'

/** A page about more than one run, in the dress of a run's report. */
export interface PageText {
  readonly title: string
  readonly kind: string
  readonly verdict: {readonly text: string; readonly tone: 'good' | 'warn' | 'bad'} | null
  readonly lead: string
}

/** A page as one HTML file that needs nothing else: its own policy forbids the network, and it has no script. */
export function htmlFile(title: string, toolVersion: string, body: Markup): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="generator" content="kvctl ${toolVersion}" />
        <title>${title}</title>
        <style>
          ${stylesheet()}
        </style>
      </head>
      <body>
        ${body}
      </body>
    </html> `.text
}

/** A page about more than one run, as one file. */
export function pageDocument(
  {title, kind, verdict, lead}: PageText,
  sections: readonly (Markup | null)[],
): string {
  return htmlFile(
    `${title} · kvctl ${kind}`,
    packageVersion,
    html`<header class="masthead">
        <p class="eyebrow">
          <span>kvctl ${kind}</span
          >${verdict === null ? null : html`<span class="status ${verdict.tone}">${verdict.text}</span>`}
        </p>
        <h1>${title}</h1>
        <p class="lead">${lead}</p>
      </header>
      <main>${sections}</main>
      <footer>
        <p>
          Written by kvctl ${packageVersion}. This file is complete in itself: it loads nothing and runs no
          script.
        </p>
      </footer>`,
  )
}

export function pageSection(
  id: string,
  title: string,
  ...content: readonly (Markup | readonly Markup[] | null)[]
): Markup {
  return html`<section aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    ${content}
  </section>`
}

/** A table with a header row; cells that are `number` stand right. */
export function plainTable(
  label: string,
  columns: readonly (readonly [name: string, kind: 'text' | 'number'])[],
  rows: readonly (readonly string[])[],
): Markup {
  const kindOf = (column: number): string => {
    if (columns[column]![1] === 'number') return 'number'
    return columns[column - 1]?.[1] === 'number' ? 'after-number' : ''
  }
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}, as a table">
    <table>
      <thead>
        <tr>
          ${columns.map(([name], column) => html`<th scope="col" class="${kindOf(column)}">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          row =>
            html`<tr>
              ${row.map((cell, column) => (column === 0 ? html`<th scope="row">${cell}</th>` : html`<td class="${kindOf(column)}">${cell}</td>`))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}
