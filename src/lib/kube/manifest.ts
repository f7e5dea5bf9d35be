/** A Kubernetes object as it is sent. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly [key: string]: unknown
}

/** Quantities by resource, as Kubernetes has them. */
export type Quantities = Readonly<Record<string, string>>

export interface Resources {
  readonly requests: Quantities
  readonly limits: Quantities
}

/** The format of KServe's own server, which runs vLLM too. */
export const HUGGING_FACE = 'huggingface'
