/** Families of routes that `kvctl serve` offers, in the order of its help. */
export const FAMILY_NAMES = ['vram', 'stats', 'segments', 'system', 'cache', 'router', 'benchmark'] as const
export type FamilyName = (typeof FAMILY_NAMES)[number]
