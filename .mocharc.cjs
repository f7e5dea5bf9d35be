// CI's machine runs other things beside two test files at a time: there a test that failed is asked once more.
module.exports = {
  timeout: 120_000,
  reporter: 'spec',
  'forbid-only': true,
  retries: process.env.CI ? 1 : 0,
  require: ['./build/test/support/serializable-bigints.js'],
}
