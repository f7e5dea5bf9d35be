import {join} from 'node:path'
import * as z from 'zod'
import {writeJsonAtomic} from './atomic-write.js'
import {readDocumentIfAny} from './meta.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'

const importedSchema = z.record(z.string(), z.unknown())

/** Keeps the document that a run was imported from. @throws ResourceError `DISK_FULL`, `NOT_WRITABLE` */
export async function writeImported(run: RunDirectory, document: Record<string, unknown>): Promise<void> {
  await writeJsonAtomic(join(run.path, RUN_FILES.imported), document)
}

/** Null for a run of our own. @throws ConfigurationError `RUN_UNREADABLE` */
export async function readImported(run: RunDirectory): Promise<Record<string, unknown> | null> {
  return readDocumentIfAny(join(run.path, RUN_FILES.imported), importedSchema)
}
