/** A repository whose test fails until its price is mended. */
export const SHOP = {
  'package.json': '{"type":"module"}\n',
  'price.js': 'export const discounted = (cents, percent) => Math.round(cents - cents * percent)\n',
  'price.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discounted } from './price.js'
test('ten percent', () => assert.equal(discounted(1000, 10), 900))
`,
}
