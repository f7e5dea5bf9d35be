import {formatCount, formatMs, formatMsRange, formatNumber, formatPercent} from '../format.js'
import {GROUP_COLUMNS, groupCells} from '../group-rows.js'
import {html, type Markup} from '../html.js'
import type {FailureRow, GroupRow, Interval, MetricRow, Warning} from '../report-data.js'

/** Every measured distribution: one row a metric, confidence intervals below the figures that have one. */
export function metricsTable(metrics: readonly MetricRow[]): Markup {
  const columns = ['Samples', 'Mean', 'p50', 'p90', 'p95', 'p99', 'Largest']
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Distributions">
    <table>
      <caption>
        Small figures below a value are its 95 % confidence interval.
      </caption>
      <thead>
        <tr>
          <th scope="col">Metric</th>
          ${columns.map(name => html`<th scope="col" class="number">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${metrics.map(metricRow)}
      </tbody>
    </table>
  </div>`
}

function metricRow(metric: MetricRow): Markup {
  const isMs = metric.unit === 'ms' || metric.unit === 'ms/token'
  const show = isMs ? formatMs : formatNumber
  const bare = isMs || metric.unit === '' || metric.unit === 'tokens'
  const range = ([low, high]: Interval): string =>
    high === null ? `≥ ${show(low)}` : isMs ? formatMsRange(low, high) : `${show(low)}–${show(high)}`
  const cell = (value: number | null, interval: Interval | null = null): Markup =>
    html`<td class="number">
      ${show(value)}${interval === null ? null : html`<span class="interval">${range(interval)}</span>`}
    </td>`
  return html`<tr>
    <th scope="row">${metric.name}${bare ? null : ` (${metric.unit})`}</th>
    <td class="number">${formatCount(metric.count)}</td>
    ${cell(metric.mean)} ${cell(metric.p50, metric.p50Interval)} ${cell(metric.p90)}
    ${cell(metric.p95, metric.p95Interval)} ${cell(metric.p99)} ${cell(metric.max)}
  </tr>`
}

/** How phases, stages and tenants went beside each other. */
export function groupsTable(groups: readonly GroupRow[]): Markup {
  return html`<div
    class="scroll"
    tabindex="0"
    role="region"
    aria-label="Latency, throughput and failures of each part"
  >
    <table>
      <thead>
        <tr>
          <th scope="col">Part</th>
          ${GROUP_COLUMNS.map(name => html`<th scope="col" class="number">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${groups.map(groupRow)}
      </tbody>
    </table>
  </div>`
}

function groupRow(group: GroupRow): Markup {
  return html`<tr>
    <th scope="row">${group.kind} ${group.name}</th>
    ${groupCells(group).map(text => html`<td class="number">${text}</td>`)}
  </tr>`
}

/** Failures by kind, the most frequent first. */
export function failuresTable(failures: readonly FailureRow[]): Markup {
  if (failures.length === 0) return html`<p class="intro">No request failed.</p>`
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Failures by kind">
    <table>
      <thead>
        <tr>
          <th scope="col">Kind</th>
          <th scope="col" class="number">Requests</th>
          <th scope="col" class="number">Share</th>
          <th scope="col" class="number">First after</th>
          <th scope="col" class="after-number">Example</th>
        </tr>
      </thead>
      <tbody>
        ${failures.map(failureRow)}
      </tbody>
    </table>
  </div>`
}

function failureRow(row: FailureRow): Markup {
  return html`<tr>
    <th scope="row"><code>${row.type}</code></th>
    <td class="number">${formatCount(row.count)}</td>
    <td class="number">${formatPercent(row.share)}</td>
    <td class="number">${formatMs(row.firstSeenMs)}</td>
    <td class="after-number">${row.example}</td>
  </tr>`
}

/** Names and values, one pair a row; `raw` ones stand in fixed-width type. */
export function pairsTable(
  caption: string,
  pairs: readonly (readonly [string, string])[],
  kind: 'pairs' | 'raw',
): Markup {
  const text = (value: string): Markup | string => (kind === 'raw' ? html`<code>${value}</code>` : value)
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
    <table class="${kind}">
      <caption>
        ${caption}
      </caption>
      <tbody>
        ${pairs.map(
          ([name, value]) =>
            html`<tr>
              <th scope="row">${text(name)}</th>
              <td>${text(value)}</td>
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`
}

/** What a reader must know before trusting the figures. */
export function warningList(warnings: readonly Warning[]): Markup {
  return html`<ul class="notices">
    ${warnings.map(warning => html`<li><code>${warning.code}</code>${warning.message}</li> `)}
  </ul>`
}
