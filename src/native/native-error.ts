/**
 * A call below JavaScript failed. Has the fields of Node's own system errors (`code`, `errno`, `syscall`), so that one
 * test for `ENOENT` serves both; the room above gives it a meaning.
 */
export class NativeError extends Error {
  override readonly name = 'NativeError'
  /** The C function, e.g. `flock`. */
  readonly syscall: string
  /** The library's own name for the status, e.g. `EWOULDBLOCK`'s `EAGAIN`. */
  readonly code: string
  /** Positive, as in errno.h (Node's own errors carry it negated). */
  readonly errno: number

  constructor(syscall: string, errno: number, code: string, text: string) {
    super(`${syscall}: ${code} (${errno}): ${text}`)
    this.syscall = syscall
    this.errno = errno
    this.code = code
  }
}
