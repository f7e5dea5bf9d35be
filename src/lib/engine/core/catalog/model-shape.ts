/** A transformer's dimensions, as its Hugging Face `config.json` states them. */
export interface ModelShape {
  readonly name: string
  /** Other spellings by which it is found. */
  readonly aliases: readonly string[]
  readonly layers: number
  readonly hidden: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  /** Width of the feed-forward layer; with experts, of those layers that have none. */
  readonly ffn: number
  readonly vocabulary: number
  /** Input and output embeddings are one matrix. */
  readonly isTied: boolean
  readonly maxContext: number
  readonly experts?: {
    readonly count: number
    readonly activePerToken: number
    readonly ffn: number
    readonly shared: number
    /** Leading layers without experts. */
    readonly denseLayers: number
  }
  /** Layers that attend to the last `tokens` only. */
  readonly window?: {readonly tokens: number; readonly layers: number}
  /** Keys and values are kept as one compressed vector. */
  readonly latent?: {
    readonly rank: number
    readonly rope: number
    readonly queryRank: number
    readonly keyDim: number
    readonly valueDim: number
  }
  /** GiB of weights where they are not two bytes a parameter. */
  readonly weightsGiB?: number
}

/** Parameters of one layer's attention projections. */
export function attentionParameters({hidden, heads, kvHeads, headDim, latent}: ModelShape): number {
  if (!latent) return 2 * hidden * heads * headDim + 2 * hidden * kvHeads * headDim
  const {rank, rope, queryRank, keyDim, valueDim} = latent
  const query = hidden * queryRank + queryRank * heads * (keyDim + rope)
  const keyValue = hidden * (rank + rope) + rank * heads * (keyDim + valueDim)
  return query + keyValue + heads * valueDim * hidden
}

/** The feed-forward part of all layers together. */
export interface FeedForward {
  readonly totalParameters: number
  /** Used by one token. */
  readonly activeParameters: number
  /** Read from memory in a step of so many tokens: the experts that one of them can be expected to choose. */
  readonly readParameters: (tokens: number) => number
}

export function feedForward({layers, hidden, ffn, experts}: ModelShape): FeedForward {
  if (!experts) {
    const parameters = layers * 3 * hidden * ffn
    return {totalParameters: parameters, activeParameters: parameters, readParameters: () => parameters}
  }
  const {count, activePerToken, shared, denseLayers} = experts
  const expert = 3 * hidden * experts.ffn
  const always = denseLayers * 3 * hidden * ffn + (layers - denseLayers) * shared * expert
  const withExperts = (chosen: number): number => always + (layers - denseLayers) * chosen * expert
  return {
    totalParameters: withExperts(count),
    activeParameters: withExperts(activePerToken),
    readParameters: tokens => withExperts(count * (1 - (1 - activePerToken / count) ** tokens)),
  }
}

/** All weights but norms and biases, embeddings counted once when tied. */
export function parameterCount(model: ModelShape): number {
  const embeddings = (model.isTied ? 1 : 2) * model.hidden * model.vocabulary
  return model.layers * attentionParameters(model) + feedForward(model).totalParameters + embeddings
}

/**
 * Bytes of KV cache of one token in one layer.
 *
 * @param elementBytes 2 for bf16, 1 for fp8
 */
export function kvBytesPerLayer({kvHeads, headDim, latent}: ModelShape, elementBytes: number): number {
  return latent ? (latent.rank + latent.rope) * elementBytes : 2 * kvHeads * headDim * elementBytes
}

/** Bytes of KV cache of one token on one GPU, every layer stored in full. */
export function kvBytesPerToken(model: ModelShape, elementBytes = 2, tensorParallel = 1): number {
  if (model.latent) return model.layers * kvBytesPerLayer(model, elementBytes)
  const kvHeads = Math.max(1, model.kvHeads / tensorParallel)
  return model.layers * kvBytesPerLayer({...model, kvHeads}, elementBytes)
}
