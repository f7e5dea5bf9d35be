/** What every document of one reply repeats. */
export interface ReplyIdentity {
  /** `chatcmpl-…` or `cmpl-…`. */
  readonly id: string
  readonly createdSeconds: number
  readonly systemFingerprint: string
}
