import {join} from 'node:path'
import {readRepositoryFile, repositoryRoot} from '../cli.js'

/** A folder for PATH in which `ncu` is the stand-in of that folder. */
export const NCU_FOLDER: string = join(repositoryRoot, 'test/support/nsight')

/** A page in the form in which Nsight Compute 2024.1 writes it. */
export function nsightPage(name: 'raw' | 'raw-scaled' | 'details'): string {
  return readRepositoryFile(`test/support/nsight/${name}.csv`)
}
