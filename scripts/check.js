// One command for everything a reviewer would ask a machine to check. Runs all, two at a time, reports all, fails if any failed.
import {spawn} from 'node:child_process'
import {availableParallelism} from 'node:os'

// Linting takes as long as the others together, so it begins. Types were mostly checked when the tests were built.
const checks = [
  ['lint', 'eslint', '.', '--max-warnings', '0'],
  ['types', 'tsc', '-p', 'test', '--noEmit'],
  ['format', 'prettier', '--check', '--log-level', 'warn', '.'],
  ['walls', 'depcruise', 'src', '--config', 'dependency-cruiser.config.js'],
  ['dead code', 'knip'],
  ['library documentation', 'typedoc', '--emit', 'none', '--logLevel', 'Warn'],
]

/** @returns whether it found nothing; what it says is printed in one piece, when it is over */
function passes([name, ...command]) {
  return new Promise(resolve => {
    const said = []
    const child = spawn('npx', ['--no-install', ...command], {stdio: ['ignore', 'pipe', 'pipe']})
    for (const stream of [child.stdout, child.stderr]) stream.on('data', bytes => said.push(bytes))
    child.on('error', error => said.push(Buffer.from(`${error.message}\n`)))
    child.on('close', status => {
      process.stdout.write(`${Buffer.concat(said)}${status === 0 ? 'ok    ' : 'FAILED'} ${name}\n`)
      resolve(status === 0)
    })
  })
}

let arePassed = true
const waiting = [...checks]
const lane = async () => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
    arePassed = (await passes(next)) && arePassed
}
await Promise.all(Array.from({length: Math.min(2, availableParallelism())}, lane))
process.exitCode = arePassed ? 0 : 1
