// CI's machine runs other things beside two test files at a time: there a test that failed is asked again.
module.exports = {
  timeout: 120_000,
  reporter: 'spec',
  'forbid-only': true,
  retries: process.env.CI ? 2 : 0,
  require: ['./build/test/support/serializable-bigints.js'],
}
