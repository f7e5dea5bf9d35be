export {Balancer, type BalanceView} from './balancer.js'
export {balanceJson, moveJson, type BalanceJson} from './json.js'
export type {BalanceMove} from './plan-balance.js'
