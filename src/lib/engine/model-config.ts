import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {ConfigurationError, isSystemError} from '../foundation/index.js'
import {modelFromConfig} from './core/catalog/config-json.js'
import type {ModelShape} from './core/catalog/model-shape.js'

/**
 * The shape of a model that lies on this machine, as a Hugging Face `config.json` or a folder with one.
 *
 * @returns null where `path` is neither, and so may be a name of the model table
 * @throws ConfigurationError `MODEL_CONFIG_UNREADABLE`, `MODEL_CONFIG_INVALID`
 */
export async function readModelConfig(path: string): Promise<ModelShape | null> {
  const isFile = path.endsWith('.json')
  const file = isFile ? path : join(path, 'config.json')
  let config: unknown
  try {
    config = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if (!isFile && isSystemError(error, 'ENOENT', 'ENOTDIR')) return null
    const reason = isSystemError(error, 'ENOENT') ? 'there is no such file' : (error as Error).message
    throw new ConfigurationError('MODEL_CONFIG_UNREADABLE', `cannot read the model's ${file}: ${reason}`, {
      cause: error,
    })
  }
  return modelFromConfig(config, path)
}
