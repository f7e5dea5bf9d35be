const DATE = String.raw`20[0-2]\d-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])`
const TIME = String.raw`([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ`
const HOST = String.raw`[a-z]{3,8}\.(com|net|org)`

/**
 * Patterns whose texts all have a format; any other format is a remark without effect, as JSON Schema has it.
 *
 * @see json-schema-org/json-schema-spec — validation, section 7.3, and the RFCs it names
 */
export const FORMATS: ReadonlyMap<string, string> = new Map([
  ['date', DATE],
  ['time', TIME],
  ['date-time', `${DATE}T${TIME}`],
  ['duration', String.raw`P[1-9]\d?D`],
  ['email', String.raw`[a-z]{3,8}@${HOST}`],
  ['hostname', HOST],
  ['ipv4', String.raw`(10|127|172|192)(\.(\d|[1-9]\d|1\d\d)){3}`],
  ['uri', String.raw`https://${HOST}/[a-z]{3,8}`],
  ['uuid', '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'],
])
