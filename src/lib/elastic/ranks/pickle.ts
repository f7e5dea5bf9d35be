import {Buffer} from 'node:buffer'

/** What the worker protocol says; tuples arrive as lists. */
export type Plain = null | boolean | number | string | readonly Plain[] | {readonly [key: string]: Plain}

/** pickle.py gathers as many elements behind one mark. */
const BATCH = 1000
/** Longer ones Python cuts into several frames, which nobody needs. */
const LONGEST_FRAME = 64 * 1024

/**
 * Python's pickle, protocol 4, byte by byte as CPython writes it: a peer may compare answers with known bytes.
 *
 * @param value integers up to 2⁵³
 */
export function pickle(value: Plain): Buffer {
  const parts: Buffer[] = []
  write(value, parts)
  parts.push(Buffer.from('.'))
  const body = Buffer.concat(parts)
  if (body.length < 4 || body.length > LONGEST_FRAME) return Buffer.concat([Buffer.of(0x80, 4), body])
  const head = Buffer.of(0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0)
  head.writeBigUInt64LE(BigInt(body.length), 3)
  return Buffer.concat([head, body])
}

function write(value: Plain, into: Buffer[]): void {
  if (value === null) into.push(Buffer.from('N'))
  else if (typeof value === 'boolean') into.push(Buffer.of(value ? 0x88 : 0x89))
  else if (typeof value === 'number') into.push(integer(value))
  else if (typeof value === 'string') into.push(text(value))
  else if (isList(value)) {
    into.push(Buffer.of(0x5d, 0x94))
    writeBatches(value.length, 'a', 'e', into, index => write(value[index]!, into))
  } else {
    into.push(Buffer.of(0x7d, 0x94))
    const entries = Object.entries(value)
    writeBatches(entries.length, 's', 'u', into, index => {
      into.push(text(entries[index]![0]))
      write(entries[index]![1], into)
    })
  }
}

function writeBatches(
  count: number,
  one: string,
  many: string,
  into: Buffer[],
  writeAt: (index: number) => void,
): void {
  for (let from = 0; from < count; from += BATCH) {
    const end = Math.min(from + BATCH, count)
    const isOne = end - from === 1
    if (!isOne) into.push(Buffer.from('('))
    for (let index = from; index < end; index++) writeAt(index)
    into.push(Buffer.from(isOne ? one : many))
  }
}

function integer(value: number): Buffer {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no integer that can be pickled`)
  if (value >= 0 && value < 2 ** 8) return Buffer.of(0x4b, value)
  if (value >= 0 && value < 2 ** 16) return Buffer.of(0x4d, value & 255, value >> 8)
  if (value >= -(2 ** 31) && value < 2 ** 31) {
    const bytes = Buffer.of(0x4a, 0, 0, 0, 0)
    bytes.writeInt32LE(value, 1)
    return bytes
  }
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(value))
  let length = 8
  // As few bytes as keep the sign.
  const fill = value < 0 ? 255 : 0
  while (length > 1 && bytes[length - 1] === fill && (bytes[length - 2]! & 128) === (fill & 128)) length--
  return Buffer.concat([Buffer.of(0x8a, length), bytes.subarray(0, length)])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const head = bytes.length < 256 ? Buffer.of(0x8c, bytes.length) : Buffer.of(0x58, 0, 0, 0, 0)
  if (bytes.length >= 256) head.writeUInt32LE(bytes.length, 1)
  return Buffer.concat([head, bytes, Buffer.of(0x94)])
}

const MARK = Symbol('mark')
type Item = Plain | typeof MARK

/**
 * Reads dictionaries, lists, texts, numbers and truths of any protocol. Nothing else: whatever could call or import
 * anything is refused.
 *
 * @throws RangeError for what is no such pickle
 */
export function unpickle(bytes: Buffer): Plain {
  const stack: Item[] = []
  const memo = new Map<number, Plain>()
  let at = 0
  const take = (count: number): Buffer => {
    if (at + count > bytes.length) throw new RangeError('a pickle that ends too early')
    at += count
    return bytes.subarray(at - count, at)
  }
  const line = (): string => {
    const end = bytes.indexOf(0x0a, at)
    if (end < 0) throw new RangeError('a pickle that ends too early')
    const found = bytes.toString('utf8', at, end)
    at = end + 1
    return found
  }
  const pop = (): Plain => {
    const item = stack.pop()
    if (item === undefined || item === MARK) throw new RangeError('a pickle whose stack is empty')
    return item
  }
  const sinceMark = (): Plain[] => {
    const mark = stack.lastIndexOf(MARK)
    if (mark < 0) throw new RangeError('a pickle without a mark')
    return stack.splice(mark).slice(1) as Plain[]
  }
  const top = (): Plain => {
    const item = stack.at(-1)
    if (item === undefined || item === MARK) throw new RangeError('a pickle whose stack is empty')
    return item
  }
  const append = (values: readonly Plain[]): void => {
    const list = top()
    if (!isList(list)) throw new RangeError('a pickle that appends to what is no list')
    ;(list as Plain[]).push(...values)
  }
  const set = (pairs: readonly Plain[]): void => {
    const dict = top()
    if (typeof dict !== 'object' || dict === null || isList(dict)) {
      throw new RangeError('a pickle that sets items of what is no dictionary')
    }
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      const key = pairs[index]
      if (typeof key !== 'string') throw new RangeError('a pickle with a key that is no text')
      Object.defineProperty(dict, key, {
        value: pairs[index + 1],
        ...{enumerable: true, configurable: true, writable: true},
      })
    }
  }
  const recall = (index: number): void => {
    const known = memo.get(index)
    if (known === undefined) throw new RangeError('a pickle that recalls what it never remembered')
    stack.push(known)
  }

  for (;;) {
    const code = take(1)[0]!
    switch (String.fromCharCode(code)) {
      case '\x80':
        take(1)
        break
      case '\x95':
        take(8)
        break
      case '.':
        return pop()
      case '(':
        stack.push(MARK)
        break
      case '}':
        stack.push({})
        break
      case 'd': {
        const pairs = sinceMark()
        stack.push({})
        set(pairs)
        break
      }
      case ']':
      case ')':
        stack.push([])
        break
      case 'l':
      case 't':
        stack.push(sinceMark())
        break
      case '\x85':
        stack.push([pop()])
        break
      case 'a':
        append([pop()])
        break
      case 'e':
        append(sinceMark())
        break
      case 's': {
        const value = pop()
        const key = pop()
        set([key, value])
        break
      }
      case 'u':
        set(sinceMark())
        break
      case 'N':
        stack.push(null)
        break
      case '\x88':
        stack.push(true)
        break
      case '\x89':
        stack.push(false)
        break
      case 'K':
        stack.push(take(1)[0]!)
        break
      case 'M':
        stack.push(take(2).readUInt16LE())
        break
      case 'J':
        stack.push(take(4).readInt32LE())
        break
      case '\x8a':
        stack.push(signed(take(take(1)[0]!)))
        break
      case 'G':
        stack.push(take(8).readDoubleBE())
        break
      case 'I': {
        const word = line()
        stack.push(word === '01' ? true : word === '00' ? false : decimal(word))
        break
      }
      case 'L':
        stack.push(decimal(line().replace(/L$/, '')))
        break
      case '\x8c':
        stack.push(take(take(1)[0]!).toString())
        break
      case 'X':
        stack.push(take(take(4).readUInt32LE()).toString())
        break
      case 'V':
        stack.push(line())
        break
      case 'S':
        stack.push(line().replace(/^(['"])(.*)\1$/, '$2'))
        break
      case '\x94':
        memo.set(memo.size, top())
        break
      case 'q':
        memo.set(take(1)[0]!, top())
        break
      case 'r':
        memo.set(take(4).readUInt32LE(), top())
        break
      case 'p':
        memo.set(decimal(line()), top())
        break
      case 'h':
        recall(take(1)[0]!)
        break
      case 'j':
        recall(take(4).readUInt32LE())
        break
      case 'g':
        recall(decimal(line()))
        break
      default:
        throw new RangeError(`a pickle with opcode 0x${code.toString(16)}, which is more than data`)
    }
  }
}

function isList(value: Plain): value is readonly Plain[] {
  return Array.isArray(value)
}

function decimal(word: string): number {
  const value = Number(word)
  if (/^-?\d+$/.test(word) && Number.isSafeInteger(value)) return value
  throw new RangeError(`'${word}' is no integer that can be read`)
}

/** Little-endian two's complement of any length. */
function signed(bytes: Buffer): number {
  const value =
    bytes.length === 0
      ? 0n
      : BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`))
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw new RangeError(`${value} is no integer that can be read`)
  }
  return Number(value)
}
