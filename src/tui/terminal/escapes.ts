/** What is written between the two shows at once, where the terminal knows them; others take no notice. */
export const BEGIN_UPDATE = '\u001B[?2026h'
export const END_UPDATE = '\u001B[?2026l'
export const ERASE_LINE = '\u001B[2K'
export const ERASE_BELOW = '\u001B[J'
