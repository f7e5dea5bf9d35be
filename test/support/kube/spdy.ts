import {Duplex} from 'node:stream'
import type {Socket} from 'node:net'
import {constants, createDeflate, createInflate, type Deflate, type Inflate} from 'node:zlib'

/** What headers are compressed against: words with their lengths, then texts. @see The SPDY Protocol, draft 3.1, 2.6.10.1 */
const WORDS =
  'options,head,post,put,delete,trace,accept,accept-charset,accept-encoding,accept-language,accept-ranges,age,allow,authorization,cache-control,connection,content-base,content-encoding,content-language,content-length,content-location,content-md5,content-range,content-type,date,etag,expect,expires,from,host,if-match,if-modified-since,if-none-match,if-range,if-unmodified-since,last-modified,location,max-forwards,pragma,proxy-authenticate,proxy-authorization,range,referer,retry-after,server,te,trailer,transfer-encoding,upgrade,user-agent,vary,via,warning,www-authenticate,method,get,status,200 OK,version,HTTP/1.1,url,public,set-cookie,keep-alive,origin'
const TEXTS =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.'
const dictionary = Buffer.concat([...WORDS.split(',').map(lengthAnd), Buffer.from(TEXTS)])

const TYPES = {synStream: 1, synReply: 2, reset: 3, ping: 6} as const
const FIN = 1

/** A stream that the other side has opened. */
export interface SpdyStream {
  /** In lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly stream: Duplex
}

/**
 * The accepting side of SPDY/3.1 on a socket that was upgraded, as far as `kubectl` speaks it: it opens streams, which are
 * accepted; both send data. Nothing is held back: its client knows no flow control either.
 *
 * @see kubernetes/apimachinery:pkg/util/httpstream/spdy/connection.go, moby/spdystream
 */
export function acceptSpdy(socket: Socket, opened: (stream: SpdyStream) => void): void {
  const streams = new Map<number, Duplex>()
  const inflate = createInflate({dictionary})
  const deflate = createDeflate({dictionary})
  const data = (id: number, flags: number, bytes: Buffer): void => {
    if (!socket.writable) return
    const head = Buffer.alloc(8)
    head.writeUInt32BE(id)
    head.writeUInt32BE(bytes.length, 4)
    head.writeUInt8(flags, 4)
    socket.write(Buffer.concat([head, bytes]))
  }
  const control = (type: number, body: Buffer): void => {
    const head = Buffer.alloc(8)
    head.writeUInt16BE(0x8003)
    head.writeUInt16BE(type, 2)
    head.writeUInt32BE(body.length, 4)
    if (socket.writable) socket.write(Buffer.concat([head, body]))
  }
  const accept = (id: number): Duplex => {
    const stream = new Duplex({
      read: () => undefined,
      write(bytes: Buffer, _, done) {
        data(id, 0, bytes)
        done()
      },
      final(done) {
        data(id, FIN, Buffer.alloc(0))
        done()
      },
    })
    stream.on('error', () => streams.delete(id))
    streams.set(id, stream)
    return stream
  }

  const take = async (type: number | null, flags: number, body: Buffer): Promise<void> => {
    const id = body.readUInt32BE() & 0x7fffffff
    switch (type) {
      case null: {
        if (body.length > 4) streams.get(id)?.push(body.subarray(4))
        break
      }
      case TYPES.synStream: {
        const headers = headersOf(await through(inflate, body.subarray(10)))
        control(TYPES.synReply, Buffer.concat([idOf(id), await through(deflate, Buffer.alloc(4))]))
        opened({headers, stream: accept(id)})
        break
      }
      case TYPES.reset:
        streams.get(id)?.destroy()
        return
      case TYPES.ping:
        control(TYPES.ping, body)
        return
      default:
        return
    }
    if ((flags & FIN) !== 0) streams.get(id)?.push(null)
  }

  let rest = Buffer.alloc(0)
  let taking = Promise.resolve()
  socket.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes])
    while (rest.length >= 8) {
      const length = rest.readUInt32BE(4) & 0xffffff
      if (rest.length < 8 + length) return
      const isControl = (rest[0]! & 0x80) !== 0
      const [type, flags] = [isControl ? rest.readUInt16BE(2) : null, rest[4]!]
      const body = rest.subarray(8, 8 + length)
      // A frame of data has its stream where one of control has its type.
      const whole = isControl ? body : Buffer.concat([rest.subarray(0, 4), body])
      rest = rest.subarray(8 + length)
      taking = taking.then(() => take(type, flags, whole))
    }
  })
  socket.on('error', () => socket.destroy())
  // Sockets of an HTTP server stay open for writing.
  socket.once('end', () => socket.destroy())
  socket.once('close', () => {
    for (const stream of streams.values()) stream.destroy()
    inflate.close()
    deflate.close()
  })
}

/** What a compressor makes of a block, all of a connection together. */
async function through(codec: Deflate | Inflate, block: Buffer): Promise<Buffer> {
  const parts: Buffer[] = []
  const gather = (part: Buffer): void => void parts.push(part)
  codec.on('data', gather)
  await new Promise<void>(resolve => {
    codec.write(block)
    codec.flush(constants.Z_SYNC_FLUSH, resolve)
  })
  codec.off('data', gather)
  return Buffer.concat(parts)
}

function headersOf(block: Buffer): Record<string, string> {
  const headers: Record<string, string> = {}
  let at = 4
  const next = (): string => {
    const from = at + 4
    at = from + block.readUInt32BE(at)
    return block.toString('utf8', from, at)
  }
  for (let left = block.readUInt32BE(); left > 0; left--) {
    const name = next()
    headers[name.toLowerCase()] = next()
  }
  return headers
}

function lengthAnd(word: string): Buffer {
  return Buffer.concat([idOf(word.length), Buffer.from(word)])
}

function idOf(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
