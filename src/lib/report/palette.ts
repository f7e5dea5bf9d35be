/**
 * Colours by the part they play. The page defines each as a CSS variable, twice: for light and for dark. Charts are drawn
 * with one made-up colour per part, replaced afterwards by a reference to the variable, so one drawing serves both.
 */
interface Shade {
  readonly light: string
  readonly dark: string
}

export const PALETTE = {
  paper: {light: '#fbfbf9', dark: '#111417'},
  surface: {light: '#ffffff', dark: '#181c20'},
  ink: {light: '#16191d', dark: '#e9ebee'},
  muted: {light: '#575f68', dark: '#a3acb6'},
  rule: {light: '#dfe2e5', dark: '#2c3238'},
  first: {light: '#1d66ad', dark: '#74b6f5'},
  second: {light: '#b2510c', dark: '#f2a765'},
  third: {light: '#6b4ba6', dark: '#bba3ef'},
  good: {light: '#1b7a48', dark: '#62c893'},
  bad: {light: '#b3261e', dark: '#ff8d84'},
  warn: {light: '#855600', dark: '#e6bb62'},
} as const satisfies Readonly<Record<string, Shade>>

export type Role = keyof typeof PALETTE

const ROLES = Object.keys(PALETTE) as readonly Role[]

/** The made-up colour that stands for a part while a chart is drawn. */
export function sentinel(role: Role): string {
  return `#0a5c${(0x10 + ROLES.indexOf(role)).toString(16)}`
}

/** Turns made-up colours into references to the page's variables. */
export function themeColours(svg: string): string {
  return ROLES.reduce((text, role) => text.replaceAll(sentinel(role), `var(--${role})`), svg)
}

/** The variables of one appearance as CSS declarations. */
export function paletteVariables(appearance: keyof Shade): string {
  return ROLES.map(role => `--${role}:${PALETTE[role][appearance]}`).join(';')
}
