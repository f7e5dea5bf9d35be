import {createHash, randomBytes} from 'node:crypto'
import {createReadStream, createWriteStream} from 'node:fs'
import {access, constants, readdir, rename, rm, stat} from 'node:fs/promises'
import {basename, dirname, join, resolve} from 'node:path'
import {pipeline} from 'node:stream/promises'
import {createGzip} from 'node:zlib'
import type {Pack} from 'tar-stream'
import {ResourceError} from '../foundation/index.js'
import {reportText} from '../report/index.js'
import {
  readMeta,
  RUN_FILES,
  strictJson,
  writeFailure,
  type RunDirectory,
  type RunMeta,
} from '../runs/index.js'
import {reproductionOf, workloadFileOf, type WorkloadFile} from './reproduction.js'

export interface BundleMade {
  readonly path: string
  readonly bytes: number
  /** Names inside, below a folder named after the run. */
  readonly files: readonly string[]
  /** What is missing in it, and why. */
  readonly warnings: readonly string[]
}

/** One file of a bundle: on disk, or made for it. */
interface Part {
  readonly name: string
  readonly from: {readonly path: string} | {readonly text: string}
  readonly bytes: number
  readonly sha256: string
}

/** Larger files that a load was read from are named, not packed. */
const MAX_WORKLOAD_BYTES = 256 * 1024 * 1024

/**
 * Checks before a run that its bundle can be written after it.
 *
 * @throws ResourceError `NOT_WRITABLE`
 */
export async function requireBundlePath(path: string): Promise<void> {
  const folder = dirname(resolve(path))
  const isFolder = (await stat(path).catch(() => null))?.isDirectory() === true
  await access(folder, constants.W_OK).catch((error: unknown) => {
    throw writeFailure(error, folder)
  })
  if (isFolder) {
    throw new ResourceError('NOT_WRITABLE', `${path} is a folder: a bundle is one file`, {
      suggestions: [`--bundle ${join(path, 'run.tar.gz')}`],
    })
  }
}

/**
 * Packs a run into one `tar.gz`: its files, the file that its load was read from, `SUMMARY.md`, `reproduce.json` with the
 * command and seeds that send the same again, and `SHA256SUMS` of all of them. The same files give the same bytes.
 *
 * @throws ResourceError `RUN_INCOMPLETE` without `meta.json`, `NOT_WRITABLE`, `DISK_FULL`
 */
export async function writeBundle(run: RunDirectory, path: string): Promise<BundleMade> {
  const meta = await readMeta(run)
  const {workload, warnings} = await findWorkload(meta)
  const [own, made] = [await runParts(run), await madeParts(run, meta, workload)]
  const parts = [...own, ...made, ...(workload === null ? [] : [workload])]
  const sums = textPart('SHA256SUMS', parts.map(({sha256, name}) => `${sha256}  ${name}\n`).join(''))
  const all = [...parts, sums].sort((one, other) => (one.name < other.name ? -1 : 1))
  const changedAt = new Date(meta.ended_at ?? meta.started_at ?? 0)
  const target = resolve(path)
  const temporary = `${target}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`
  try {
    const {pack} = await import('tar-stream')
    const tar = pack()
    await Promise.all([
      pipeline(tar, createGzip({level: 6}), createWriteStream(temporary, {flags: 'wx'})),
      addAll(tar, run.runId, all, changedAt),
    ])
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, {force: true})
    throw writeFailure(error, target)
  }
  const {size: bytes} = await stat(target)
  return {path: target, bytes, files: all.map(({name}) => name), warnings}
}

async function addAll(tar: Pack, folder: string, parts: readonly Part[], changedAt: Date): Promise<void> {
  try {
    for (const {name, from, bytes} of parts) {
      const header = {name: `${folder}/${name}`, size: bytes, mode: 0o644, mtime: changedAt, uid: 0, gid: 0}
      if ('text' in from) tar.entry(header, from.text)
      else if (bytes === 0) tar.entry(header, '')
      // What is appended to a file meanwhile is no part of what was summed.
      else await pipeline(createReadStream(from.path, {end: bytes - 1}), tar.entry(header))
    }
    tar.finalize()
  } catch (error) {
    tar.destroy(error as Error)
    throw error
  }
}

/** Every file of the run's folder; what a write was cut off at is none. */
async function runParts({path}: RunDirectory): Promise<Part[]> {
  const entries = await readdir(path, {recursive: true, withFileTypes: true})
  const files = entries.filter(entry => entry.isFile() && !/\.(tmp|tar\.gz|tgz)$/.test(entry.name))
  return Promise.all(
    files.map(async ({parentPath, name}) => {
      const full = join(parentPath, name)
      return filePart(full.slice(path.length + 1), full)
    }),
  )
}

async function madeParts(run: RunDirectory, meta: RunMeta, workload: Workload | null): Promise<Part[]> {
  const reproduction = reproductionOf(meta, workload)
  const document = textPart('reproduce.json', `${strictJson(reproduction)}\n`)
  if ((await stat(join(run.path, RUN_FILES.results)).catch(() => null)) === null) return [document]
  return [document, textPart('SUMMARY.md', await reportText(run, {format: 'md', template: null}))]
}

/** The part of a bundle that is the load's own file. */
type Workload = Part & {readonly original: string}

async function findWorkload(meta: RunMeta): Promise<{workload: Workload | null; warnings: string[]}> {
  const file = workloadFileOf(meta)
  if (file === null) return {workload: null, warnings: []}
  const why = await whyNotPacked(file)
  if (why !== null) return {workload: null, warnings: [`${file.path} is not in the bundle: ${why}`]}
  const part = await filePart(`workload/${basename(file.path)}`, file.path)
  if (file.sha256 !== null && part.sha256 !== file.sha256)
    return {workload: null, warnings: [`${file.path} is not in the bundle: it has changed since the run`]}
  return {workload: {...part, original: file.path}, warnings: []}
}

async function whyNotPacked({path}: WorkloadFile): Promise<string | null> {
  const found = await stat(path).catch(() => null)
  if (found === null) return 'it is gone'
  return found.size > MAX_WORKLOAD_BYTES ? 'it is larger than 256 MiB' : null
}

async function filePart(name: string, path: string): Promise<Part> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(piece)
    bytes += piece.length
  }
  return {name, from: {path}, bytes, sha256: hash.digest('hex')}
}

function textPart(name: string, text: string): Part {
  const sha256 = createHash('sha256').update(text).digest('hex')
  return {name, from: {text}, bytes: Buffer.byteLength(text), sha256}
}
