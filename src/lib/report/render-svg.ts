import type {LineSeriesOption, ScatterSeriesOption} from 'echarts/charts'
import type {GridComponentOption} from 'echarts/components'
import type {ComposeOption} from 'echarts/core'
import {escapeHtml, trustedMarkup, type Markup} from './html.js'
import {themeColours} from './palette.js'

export type ChartSeries = LineSeriesOption | ScatterSeriesOption
export type ChartOption = ComposeOption<GridComponentOption | ChartSeries>

export interface SvgSize {
  readonly width: number
  readonly height: number
}

/** Draws a chart: `id` prefixes every id inside, `title` and `description` name it for those who cannot see it. */
export type SvgRenderer = (
  id: string,
  title: string,
  description: string,
  size: SvgSize,
  option: ChartOption,
) => Markup

/** Loads echarts (a third of a second, so only when a report is really written) and gives a renderer on it. */
export async function loadSvgRenderer(): Promise<SvgRenderer> {
  const [core, charts, components, renderers] = await Promise.all([
    import('echarts/core'),
    import('echarts/charts'),
    import('echarts/components'),
    import('echarts/renderers'),
  ])
  core.use([charts.LineChart, charts.ScatterChart, components.GridComponent, renderers.SVGRenderer])
  return (id, title, description, size, option) => {
    const chart = core.init(null, null, {renderer: 'svg', ssr: true, ...size})
    try {
      chart.setOption({animation: false, backgroundColor: 'transparent', ...option})
      return trustedMarkup(tidySvg(chart.renderToSVGString(), id, title, description, size))
    } finally {
      chart.dispose()
    }
  }
}

/**
 * Makes echarts' drawing fit a page of many: scales with its column, inherits the page's font and colours, has ids of its own,
 * says what it shows, and leaves out what only its own script would read.
 */
export function tidySvg(svg: string, id: string, title: string, description: string, size: SvgSize): string {
  const body = svg
    .replace(/^<svg[^>]*>/, '')
    .replace(/<style\s*>[\s\S]*?<\/style>/g, '')
    .replace(/<rect[^>]*fill="(?:none|transparent)"[^>]*><\/rect>/g, '')
    .replace(/ (?:class|ecmeta_[a-z_]+|pointer-events)="[^"]*"/g, '')
    .replace(/font-family:[^;"]*;?/g, '')
    .replace(/\bzr\d+-/g, `${id}-`)
    .replace(/<(path|rect|circle|line)([^>]*)><\/\1>/g, '<$1$2/>')
    .replace(/\n\s*/g, '')
  const [titleId, descriptionId] = [`${id}-title`, `${id}-desc`]
  return themeColours(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" role="img" ` +
      `aria-labelledby="${titleId} ${descriptionId}">` +
      `<title id="${titleId}">${escapeHtml(title)}</title><desc id="${descriptionId}">${escapeHtml(description)}</desc>` +
      body,
  )
}
