import {isSystemError, ResourceError} from '../foundation/index.js'

/**
 * Gives a failed write its meaning: a full disk, a limit of file sizes or a folder that may not be written is one `ResourceError` that names the
 * path; anything else is thrown as it came.
 */
export function writeFailure(error: unknown, path: string): unknown {
  if (isSystemError(error, 'ENOSPC', 'EDQUOT', 'EFBIG')) {
    const why = isSystemError(error, 'EFBIG') ? 'the size of files is limited here' : 'no space is left'
    return new ResourceError('DISK_FULL', `${path} cannot be written: ${why}`, {
      cause: error,
      suggestions: ['free some space or raise the limit, or choose another place with --output-dir'],
    })
  }
  if (
    isSystemError(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENOENT', 'ENAMETOOLONG')
  ) {
    return new ResourceError('NOT_WRITABLE', `cannot write ${path} (${String(error.code)})`, {cause: error})
  }
  return error
}
