const NAME = /^[\w!#$%&'*+.^`|~-]+$/
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/** Whether a text is a token, as methods and names of headers are. @see RFC 9110 section 5.6.2 */
export function isToken(text: string): boolean {
  return NAME.test(text)
}

/** Whether a text can be the value of a header: no line end, no control character but tabs, one byte a character. @see RFC 9110 section 5.5 */
export function isFieldText(text: string): boolean {
  return !NOT_IN_VALUE.test(text)
}
