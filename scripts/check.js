// One command for everything a reviewer would ask a machine to check. Runs all, reports all, fails if any failed.
import {spawnSync} from 'node:child_process'

const checks = [
  ['types', 'tsc', '-p', 'test', '--noEmit', '--incremental', 'false'],
  ['lint', 'eslint', '.', '--max-warnings', '0'],
  ['format', 'prettier', '--check', '--log-level', 'warn', '.'],
  ['walls', 'depcruise', 'src', '--config', 'dependency-cruiser.config.js'],
  ['dead code', 'knip'],
  ['library documentation', 'typedoc', '--emit', 'none', '--logLevel', 'Warn'],
]
const failed = checks.filter(([name, ...command]) => {
  const {status} = spawnSync('npx', ['--no-install', ...command], {stdio: 'inherit'})
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}`)
  return status !== 0
})
process.exit(failed.length === 0 ? 0 : 1)
