/** The thread that talks to tensor-parallel workers while the one that hands out blocks waits for it. */
import {workerData} from 'node:worker_threads'
import {serveRankExchange} from '../lib/elastic/index.js'

serveRankExchange(workerData)
