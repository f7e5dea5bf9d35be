import {STATUS_CODES} from 'node:http'
import type {FastifyReply} from 'fastify'

/**
 * Whether a path is Blackbox's, whose refusals are one line of plain text.
 *
 * @see maxdcmn/blackbox:blackbox-server/docs/API.md — Error Responses
 */
export function isBlackboxPath(path: string): boolean {
  return /^\/vram(\/|$)/.test(path)
}

/** `Not Found`, `Internal Server Error` … as `text/plain`, without a character set. */
export function sendPlain(reply: FastifyReply, status: number): FastifyReply {
  return reply.code(status).header('content-type', 'text/plain').send(Buffer.from(STATUS_CODES[status]!))
}
