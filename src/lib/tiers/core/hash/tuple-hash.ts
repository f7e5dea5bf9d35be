/**
 * CPython's `hash((previous, tokens, extra))` for whole numbers. The chain is serial and needs 64-bit products, so it is a
 * WebAssembly function of some 200 bytes, spelled out below: 64-bit limbs in JavaScript are several times slower.
 *
 * @see python/cpython:Objects/tupleobject.c — tuplehash (xxHash's mixing), Objects/longobject.c — long_hash
 */

const P1 = -7046029288634856825n
const P2 = -4417276706812531889n
const P5 = 2870177450012600261n
const LENGTH_MIX = P5 ^ 3527539n
/** What a tuple's hash is instead of −1. */
const NOT_MINUS_ONE = 1546275796n
const MODULUS = (1n << 61n) - 1n

const I32 = 0x7f
const I64 = 0x7e

/** Opcodes that the function needs. @see WebAssembly/spec — core, binary format */
const OP = {
  block: 0x02,
  loop: 0x03,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  get: 0x20,
  set: 0x21,
  select: 0x1b,
  loadF64: 0x2b,
  constI32: 0x41,
  constI64: 0x42,
  geU32: 0x4f,
  addI32: 0x6a,
  shlI32: 0x74,
  eqI64: 0x51,
  ltS64: 0x53,
  add: 0x7c,
  sub: 0x7d,
  mul: 0x7e,
  remU: 0x82,
  xor: 0x85,
  rotl: 0x89,
  extendU: 0xad,
} as const
const TRUNCATE_F64 = [0xfc, 0x06]

function signed(value: bigint): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7n) {
    const low = Number(BigInt.asUintN(7, rest))
    const isLast = rest >> 6n === 0n || rest >> 6n === -1n
    bytes.push(isLast ? low : low | 0x80)
    if (isLast) return bytes
  }
}

const i64 = (value: bigint): number[] => [OP.constI64, ...signed(value)]
const get = (local: number): number[] => [OP.get, local]
const set = (local: number): number[] => [OP.set, local]

/** Leaves `hash` of the whole number on the stack, which is in `lane`. */
function numberHash(lane: number): number[] {
  const absolute = [
    ...[...i64(0n), ...get(lane), OP.sub, ...get(lane)],
    ...[...get(lane), ...i64(0n), OP.ltS64, OP.select],
  ]
  const reduced = [...absolute, ...i64(MODULUS), OP.remU]
  return [
    ...[...reduced, ...set(ACC2)],
    ...[...i64(0n), ...get(ACC2), OP.sub, ...get(ACC2)],
    ...[...get(lane), ...i64(0n), OP.ltS64, OP.select],
    ...set(ACC2),
    ...[...i64(-2n), ...get(ACC2), ...get(ACC2), ...i64(-1n), OP.eqI64, OP.select],
  ]
}

const [PTR, COUNT, PREVIOUS, EXTRA, ACC, LANE, END, ACC2] = [0, 1, 2, 3, 4, 5, 6, 7] as const

/** `ACC = rotl(ACC + x · P2, 31) · P1` for the x that `lane` leaves on the stack. */
const absorb = (lane: number[]): number[] => [
  ...[...lane, ...i64(P2), OP.mul, ...get(ACC), OP.add],
  ...[...i64(31n), OP.rotl, ...i64(P1), OP.mul, ...set(ACC)],
]

const finish = (length: number[]): number[] => [
  ...[...get(ACC), ...length, ...i64(LENGTH_MIX), OP.xor, OP.add, ...set(ACC)],
  ...[...i64(NOT_MINUS_ONE), ...get(ACC), ...get(ACC), ...i64(-1n), OP.eqI64, OP.select, ...set(ACC)],
]

/** Tokens of the chunk, doubles at PTR: exact up to 2^53, and below 2^61 − 1, so that their hash is themselves but for −1. */
const tokenLane = [
  ...[...get(PTR), OP.loadF64, 3, 0, ...TRUNCATE_F64, ...set(LANE)],
  ...[...i64(-2n), ...get(LANE), ...get(LANE), ...i64(-1n), OP.eqI64, OP.select],
]

const body = [
  ...[...get(COUNT), OP.constI32, 3, OP.shlI32, ...get(PTR), OP.addI32, ...set(END)],
  ...[...i64(P5), ...set(ACC)],
  ...[OP.block, 0x40, OP.loop, 0x40, ...get(PTR), ...get(END), OP.geU32, OP.brIf, 1],
  ...absorb(tokenLane),
  ...[...get(PTR), OP.constI32, 8, OP.addI32, ...set(PTR), OP.br, 0, OP.end, OP.end],
  ...finish([...get(COUNT), OP.extendU]),
  ...[...get(ACC), ...set(LANE), ...i64(P5), ...set(ACC)],
  ...absorb(numberHash(PREVIOUS)),
  ...absorb(get(LANE)),
  ...absorb(get(EXTRA)),
  ...finish(i64(3n)),
  ...[...get(ACC), OP.end],
]

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

const sized = (bytes: number[]): number[] => [...unsigned(bytes.length), ...bytes]
const section = (id: number, content: number[]): number[] => [id, ...sized(content)]
const named = (name: string): number[] => sized([...Buffer.from(name)])

const MODULE = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [1, 0x60, 4, I32, I32, I64, I64, 1, I64]),
  ...section(3, [1, 0]),
  ...section(5, [1, 0, 1]),
  ...section(7, [2, ...named('chain'), 0, 0, ...named('memory'), 2, 0]),
  ...section(10, [1, ...sized([3, 2, I64, 1, I32, 1, I64, ...body])]),
])

/** What is needed of a global that Node has and its types leave to the DOM's. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => {readonly exports: unknown}
}

interface TupleHashing {
  readonly memory: {readonly buffer: ArrayBuffer; grow(pages: number): number}
  readonly chain: (pointer: number, count: number, previous: bigint, extra: bigint) => bigint
}

let loaded: (TupleHashing & {tokens: Float64Array}) | null = null

function load(count: number): NonNullable<typeof loaded> {
  if (loaded === null) {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(MODULE))
    const {chain, memory} = instance.exports as TupleHashing
    loaded = {chain, memory, tokens: new Float64Array(memory.buffer)}
  }
  const missing = count * 8 - loaded.memory.buffer.byteLength
  if (missing > 0) {
    loaded.memory.grow(Math.ceil(missing / 65_536))
    loaded.tokens = new Float64Array(loaded.memory.buffer)
  }
  return loaded
}

/** `hash((previous, (tokens[start], …, tokens[end − 1]), extra))`, signed; `extra` is the hash of the third element. */
export function tupleHash(
  previous: bigint,
  tokens: ArrayLike<number>,
  start: number,
  end: number,
  extra: bigint,
): bigint {
  const count = end - start
  const {chain, tokens: staged} = load(count)
  for (let index = 0; index < count; index++) staged[index] = tokens[start + index]!
  return chain(0, count, previous, extra)
}
