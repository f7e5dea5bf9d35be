import {z} from 'zod'

/** The form in which Fastify checks and OpenAPI shows it: what a client sends, before defaults are filled in. */
export function jsonSchema(schema: z.ZodType): object {
  const described: Record<string, unknown> = z.toJSONSchema(schema, {target: 'draft-7', io: 'input'})
  delete described['$schema']
  return described
}

/** A whole number, without the bounds that `z.int()` would show. */
export const integer = z.number().meta({type: 'integer'})

/** An answer of one media type. */
export function answer(description: string, schema: z.ZodType, mediaType = 'application/json'): object {
  return {description, content: {[mediaType]: {schema: jsonSchema(schema)}}}
}
