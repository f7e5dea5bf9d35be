import {createHash} from 'node:crypto'
import type {ServedModel} from '../generation/plan.js'

/**
 * `GET /v1/models`: one entry a served name; `created` is the time of the request, as vLLM has it.
 *
 * @see vllm-project/vllm:vllm/entrypoints/openai/models/serving.py — show_available_models
 */
export function modelList(model: ServedModel, nowSeconds: number): object {
  return {
    object: 'list',
    data: model.names.map(name => ({
      id: name,
      object: 'model',
      created: nowSeconds,
      owned_by: 'vllm',
      root: model.root,
      parent: null,
      max_model_len: model.maxModelLen,
      permission: [
        {
          id: `modelperm-${createHash('sha256').update(name).digest('hex').slice(0, 16)}`,
          object: 'model_permission',
          created: nowSeconds,
          allow_create_engine: false,
          allow_sampling: true,
          allow_logprobs: true,
          allow_search_indices: false,
          allow_view: true,
          allow_fine_tuning: false,
          organization: '*',
          group: null,
          is_blocking: false,
        },
      ],
    })),
  }
}
