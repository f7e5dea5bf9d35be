// Machines run other things beside two test files at a time: a test that failed is asked again, unless flakes are hunted.
module.exports = {
  timeout: 120_000,
  reporter: 'spec',
  'forbid-only': true,
  retries: Number(process.env.KVCTL_TEST_RETRIES ?? 2),
  require: ['./build/test/support/serializable-bigints.js'],
}
