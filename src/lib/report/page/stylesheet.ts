import {FRAMES} from '../charts/chart.js'
import {trustedMarkup, type Markup} from '../html.js'
import {paletteVariables} from '../palette.js'

const [WIDE, MEDIUM] = FRAMES

/** The page's one style sheet: system fonts, a column that fits 300 to 1400 px, light, dark and paper. */
export function stylesheet(): Markup {
  return trustedMarkup(`
:root{color-scheme:light dark;${paletteVariables('light')};--measure:68ch}
@media screen and (prefers-color-scheme:dark){:root{${paletteVariables('dark')}}}
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums lining-nums;overflow-wrap:anywhere}
main,.masthead,footer{max-width:1060px;margin:0 auto;padding:0 clamp(16px,4vw,40px)}
h1,h2,h3,p,dl,dd,figure,ul,table{margin:0}
a{color:var(--first);text-underline-offset:.18em}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--first);outline-offset:3px;border-radius:2px}
code,.mono{font-family:ui-monospace,SFMono-Regular,"SF Mono",Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace;font-size:.9em}

.masthead{padding-top:clamp(28px,6vw,56px)}
.eyebrow{display:flex;flex-wrap:wrap;gap:0 12px;align-items:center;color:var(--muted);font-size:13px;letter-spacing:.01em}
.status{display:inline-flex;align-items:center;gap:6px;color:var(--ink);font-weight:600}
.status::before{content:"";width:8px;height:8px;border-radius:50%;background:var(--muted)}
.status.good::before{background:var(--good)}.status.warn::before{background:var(--warn)}.status.bad::before{background:var(--bad)}
h1{margin-top:10px;font-size:clamp(26px,4.6vw,40px);line-height:1.12;letter-spacing:-.022em;font-weight:680;text-wrap:balance}
.lead{margin-top:14px;max-width:var(--measure);font-size:clamp(16px,1.9vw,18px);line-height:1.5;color:var(--ink);text-wrap:pretty}
nav{margin-top:22px;padding:10px 0;border-top:1px solid var(--rule);border-bottom:1px solid var(--rule)}
nav ul{display:flex;flex-wrap:wrap;gap:4px 20px;padding:0;list-style:none;font-size:14px}
nav a{color:var(--muted);text-decoration:none}nav a:hover{color:var(--ink);text-decoration:underline}

section{padding-top:clamp(36px,5vw,56px)}
h2{font-size:22px;line-height:1.25;letter-spacing:-.012em;font-weight:650;scroll-margin-top:16px}
h2+.intro{margin-top:6px}
.intro{max-width:var(--measure);color:var(--muted)}
h3{font-size:16px;line-height:1.35;font-weight:640;letter-spacing:-.004em}

.cards{display:grid;grid-template-columns:repeat(4,1fr);gap:1px;margin-top:18px;border:1px solid var(--rule);border-radius:10px;overflow:hidden;background:var(--rule)}
.cards>div{display:flex;flex-direction:column;padding:16px 18px 15px;background:var(--surface)}
.cards dt{order:1;color:var(--muted);font-size:13px}
.cards dd{order:2;margin-top:3px;font-size:27px;line-height:1.2;font-weight:620;letter-spacing:-.02em}
.cards dd .unit{display:inline-block;margin-left:.22em;font-size:15px;font-weight:500;letter-spacing:0;color:var(--muted)}
.cards dd.detail{order:3;margin-top:4px;font-size:12.5px;line-height:1.4;font-weight:400;letter-spacing:0;color:var(--muted);white-space:normal}
.cards .unknown{padding-top:9px;font-size:15px;font-weight:400;letter-spacing:0;color:var(--muted)}
@media (max-width:720px){.cards{grid-template-columns:1fr 1fr}}
@media (max-width:480px){.cards>div{padding:12px 13px}.cards dd{font-size:22px}.cards dd .unit{font-size:13px}.cards .unknown{padding-top:5px}}

.notices{margin:18px 0 0;padding:0;list-style:none;border-left:3px solid var(--warn)}
.notices li{padding:7px 0 7px 16px;max-width:calc(var(--measure) + 12ch)}
.notices code{color:var(--warn);margin-right:.5em}

.chart{margin-top:30px;padding-top:20px;border-top:1px solid var(--rule);break-inside:avoid}
.chart:first-of-type{margin-top:18px}
.chart .reading{max-width:calc(var(--measure) + 10ch);text-wrap:pretty;color:var(--muted)}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;margin-top:8px;padding:0;list-style:none;font-size:13px;color:var(--muted)}
.legend li{display:inline-flex;align-items:center;gap:7px}
.legend i{display:inline-block;width:20px;height:0;border-top:2px solid var(--tint)}
.legend .dash i{border-top-style:dashed}
.legend .dotted i{border-top-style:dotted}
.legend .area i{height:10px;border-top-width:2px;background:color-mix(in srgb,var(--tint) 18%,transparent)}
.legend .dot i{width:8px;height:8px;margin:0 6px;border:0;border-radius:50%;background:var(--tint);opacity:.55}
.plots{container-type:inline-size;margin-top:8px}
.plots svg{display:block;width:100%;height:auto;overflow:visible}
.plot{display:none}
.plot.narrow{display:block}
@container (min-width:${MEDIUM!.width * 0.78}px){.plot.narrow{display:none}.plot.medium{display:block}}
@container (min-width:${WIDE!.width * 0.82}px){.plot.medium{display:none}.plot.wide{display:block}}
.note{margin-top:6px;max-width:calc(var(--measure) + 16ch);font-size:12.5px;line-height:1.5;color:var(--muted)}
.absent{margin-top:10px;padding:14px 16px;max-width:calc(var(--measure) + 4ch);border:1px dashed var(--rule);border-radius:8px;color:var(--muted)}

.scroll{margin-top:18px;overflow-x:auto}
table{width:100%;border-collapse:collapse;font-size:14px;line-height:1.45}
caption{padding-bottom:8px;color:var(--muted);font-size:13px;text-align:left}
th,td{overflow-wrap:break-word;padding:7px 14px 7px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
thead th{color:var(--muted);font-size:12.5px;font-weight:550;white-space:nowrap;border-bottom-color:var(--muted)}
tbody th{font-weight:500}
.scroll tbody th{min-width:7em}
.number{text-align:right;white-space:nowrap;padding-right:0;padding-left:18px}
.after-number{padding-left:24px}
.interval{display:block;font-size:12px;color:var(--muted)}
.pairs th{width:1%;min-width:11em;padding-right:24px;color:var(--muted);font-weight:400;white-space:nowrap}
.pairs{max-width:660px}
.pairs td,.raw td{font-variant-numeric:tabular-nums}
.raw th{font-weight:400}
@media (max-width:560px){.pairs th,.pairs td{display:block;width:auto;white-space:normal}.pairs th{padding-bottom:0;border-bottom:0}.pairs td{padding-top:0}}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:8px 48px}
.definitions{display:grid;grid-template-columns:minmax(10em,max-content) minmax(0,var(--measure));gap:9px 24px;margin-top:16px}
.definitions dt{font-weight:550}.definitions dd{color:var(--muted)}
@media (max-width:560px){.definitions{grid-template-columns:1fr;gap:0}.definitions dd{margin-bottom:12px}}
details{margin-top:18px}
summary{cursor:pointer;color:var(--first)}
footer{margin-top:56px;padding-top:18px;padding-bottom:48px;color:var(--muted);font-size:13px}

@media print{
@page{size:A4;margin:15mm 14mm}
:root{--paper:#fff;--surface:#fff}
body{font-size:9.5pt;line-height:1.45}
main,.masthead,footer{max-width:none;padding-left:0;padding-right:0}
.masthead{padding-top:0}
nav{display:none}
h1{font-size:24pt}.lead{font-size:11.5pt}
section{padding-top:20px}h2{font-size:14pt}h3{font-size:11pt}
h2,h3,caption{break-after:avoid}
tr,.cards>div,.notices li,.definitions dd{break-inside:avoid}
.cards,.notices,.scroll,.definitions{margin-top:10px}
.cards{grid-template-columns:repeat(4,1fr)}.cards>div{padding:9px 12px}.cards dd{font-size:17px}.cards dd .unit,.cards .unknown{font-size:12px}.cards dt,.cards dd.detail{font-size:11px}
.chart,.chart:first-of-type{margin-top:12px;padding-top:10px}
footer{margin-top:24px;padding-bottom:0}
.legend,.note,caption,.interval{font-size:8pt}
.plot{display:none!important}.plot.medium{display:block!important}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:0 28px}
.pair .plot.medium{display:none!important}.pair .plot.narrow{display:block!important}
th,td{padding-top:4px;padding-bottom:4px}table{font-size:8.5pt}
.columns{grid-template-columns:1fr 1fr}
.scroll{overflow:visible}
thead{display:table-header-group}
section:has(details:not([open])){display:none}
summary{display:none}
a{color:inherit;text-decoration:none}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
`)
}
