#!/usr/bin/env node
import module from 'node:module'

module.enableCompileCache?.()
// oclif would load semver, 4 ms of every start, to compare Node's version with its own needs, which are below ours.
process.env.OCLIF_DISABLE_ENGINE_WARNING ??= 'true'
const {main} = await import('../dist/cli/main.js')
await main(import.meta.url)
