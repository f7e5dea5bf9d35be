export {requireBundlePath, writeBundle, type BundleMade} from './write-bundle.js'
