import type {BalanceView} from './balancer.js'
import type {BalanceMove} from './plan-balance.js'

export interface MoveJson {
  readonly segment: string
  readonly from_bytes: number
  readonly to_bytes: number
  readonly because: string
}

export interface BalanceJson {
  readonly total_bytes: number
  readonly segments: readonly {
    readonly segment: string
    readonly limit_bytes: number
    readonly held_bytes: number
    readonly demand_bytes: number
    readonly floor_bytes: number
    readonly ceiling_bytes: number
    /** null while segments are missing, or there is nobody to share with. */
    readonly target_bytes: number | null
  }[]
  readonly missing: readonly string[]
  readonly moves: readonly MoveJson[]
}

export function moveJson({segment, fromBytes, toBytes, because}: BalanceMove): MoveJson {
  return {segment, from_bytes: fromBytes, to_bytes: toBytes, because}
}

export function balanceJson({totalBytes, looks, missing, plan}: BalanceView): BalanceJson {
  return {
    total_bytes: Math.round(totalBytes),
    segments: looks.map(look => ({
      segment: look.segment,
      limit_bytes: look.limitBytes,
      held_bytes: look.heldBytes,
      demand_bytes: Math.round(look.demandBytes),
      floor_bytes: Math.round(look.floorBytes),
      ceiling_bytes: Math.round(look.ceilingBytes),
      target_bytes: plan.targets.get(look.segment) ?? null,
    })),
    missing,
    moves: plan.moves.map(moveJson),
  }
}
