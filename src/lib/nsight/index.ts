export {findNcu} from './find-ncu.js'
