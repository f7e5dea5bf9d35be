/**
 * Prints the titles of all tests of compiled test files without running one, as JSON lines `{"file", "path"}`.
 *
 *   node list-tests.js FILE…
 */
import Mocha from 'mocha'

const mocha = new Mocha({reporter: 'min'})
for (const file of process.argv.slice(2)) mocha.addFile(file)
await mocha.loadFilesAsync()
mocha.suite.eachTest(test => {
  process.stdout.write(`${JSON.stringify({file: test.file, path: test.titlePath()})}\n`)
})
