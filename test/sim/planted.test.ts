import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { PLANTED } from './planted.ts'

const root = join(import.meta.dirname, '../..')

it.each(PLANTED)('“$name” can still be planted: each of its places occurs once', ({ edits }) => {
  for (const { file, find, replace } of edits) {
    expect(readFileSync(join(root, file), 'utf8').split(find), `${file}: ${find}`).toHaveLength(2)
    expect(replace).not.toBe(find)
  }
})
