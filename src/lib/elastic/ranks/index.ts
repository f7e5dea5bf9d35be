export {BlockingRanks, serveRankExchange} from './blocking-ranks.js'
export {askRanks} from './exchange.js'
export {listenAsRank, type RankListener} from './rank-listener.js'
export type {RankAddress} from './rank-socket.js'
