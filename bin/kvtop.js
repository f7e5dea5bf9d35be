#!/usr/bin/env node
// kvcached's users start the monitor under this name.
process.argv.splice(2, 0, 'kvtop')
await import('./run.js')
