import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const PRICE = `/** Price of one item in cents, with the discount in percent taken off and rounded to whole cents. */
export function discounted(cents, percent) {
  return Math.round(cents - cents * percent)
}
`
const TEST = `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discounted } from './price.js'

test('ten percent off', () => {
  assert.equal(discounted(1000, 10), 900)
})

test('no discount', () => {
  assert.equal(discounted(1999, 0), 1999)
})
`
const NOTES = 'The shop wants the discount fixed before Friday.\n'

/** Makes a real git repository with a failing test, a changed file that is not committed, and one that git does not know. */
export async function makeRepository(directory: string): Promise<void> {
  const git = (...args: string[]) =>
    run('git', ['-C', directory, '-c', 'user.name=Demo', '-c', 'user.email=demo@example.invalid', ...args])
  await mkdir(directory, { recursive: true })
  await writeFile(
    join(directory, 'package.json'),
    `${JSON.stringify({ name: 'shop', private: true, type: 'module', scripts: { test: 'node --test' } }, null, 2)}\n`,
  )
  await writeFile(join(directory, 'price.js'), PRICE)
  await writeFile(join(directory, 'README.md'), '# Shop\n')
  await run('git', ['init', '--quiet', '--initial-branch=main', directory])
  await git('add', '--all')
  await git('commit', '--quiet', '--message=Sell things')
  await writeFile(join(directory, 'price.test.js'), TEST)
  await writeFile(join(directory, 'README.md'), '# Shop\n\nPrices are in cents.\n')
  await writeFile(join(directory, 'notes.txt'), NOTES)
}

/** What git says of the work tree: the demo shows that it is the same before and after. */
export async function status(directory: string): Promise<string> {
  const { stdout } = await run('git', ['-C', directory, 'status', '--porcelain=v1', '--branch'])
  return stdout
}
