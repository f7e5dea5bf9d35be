import {join} from 'node:path'
import * as z from 'zod'
import {writeJsonAtomic} from './atomic-write.js'
import {readDocumentIfAny} from './meta.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'

const instant = z.iso.datetime({offset: true})
const quantities = z.record(z.string(), z.string())

export const podRecordSchema = z.object({
  name: z.string(),
  node: z.string().nullable(),
  created_at: instant.nullable(),
  /** When its first container ran; before that nothing is held. */
  started_at: instant.nullable(),
  /** When its last container ended, or it was seen to be gone; null while it runs. */
  finished_at: instant.nullable(),
  /** When it was ready, in order; an open end lasts. */
  ready: z.array(z.object({from: instant, to: instant.nullable()})),
  /** Without init containers. */
  containers: z.array(z.object({name: z.string(), requests: quantities, limits: quantities})),
})
export type PodRecord = z.output<typeof podRecordSchema>

/**
 * `cluster.json`: the pods of the service that was measured, as its cluster showed them during the run, and their nodes. It is
 * kept up while the run lasts, so that a run that is killed has it too.
 */
export const clusterRecordSchema = z.object({
  schema_version: z.literal(1),
  namespace: z.string(),
  service: z.string(),
  kind: z.enum(['InferenceService', 'LLMInferenceService']).default('InferenceService'),
  /** Of the kubeconfig; null is the current one. */
  context: z.string().nullable().default(null),
  /** True where pods were watched while the run lasted; else they were listed afterwards. */
  is_watched: z.boolean(),
  pods: z.array(podRecordSchema),
  nodes: z.array(
    z.object({
      name: z.string(),
      /** As the GPU operator labels it; null on a node without. */
      gpu_product: z.string().nullable(),
      /** Why its labels are not known, such as a permission that is missing; null where they are. */
      unavailable: z.string().nullable().default(null),
    }),
  ),
})
export type ClusterRecord = z.output<typeof clusterRecordSchema>
export type NodeRecord = ClusterRecord['nodes'][number]

/** @throws ResourceError `DISK_FULL`, `NOT_WRITABLE` */
export async function writeClusterRecord(run: RunDirectory, record: ClusterRecord): Promise<void> {
  await writeJsonAtomic(join(run.path, RUN_FILES.cluster), record)
}

/** Null for a run whose pods nobody looked at. @throws ConfigurationError `RUN_UNREADABLE` */
export async function readClusterRecord(run: RunDirectory): Promise<ClusterRecord | null> {
  return readDocumentIfAny(join(run.path, RUN_FILES.cluster), clusterRecordSchema)
}
