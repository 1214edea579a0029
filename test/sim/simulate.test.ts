import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { isMild } from './schedule.ts'
import { shrink } from './shrink.ts'
import { simulate } from './simulate.ts'

test('one seed gives one trace, byte for byte, in this process and in another', async () => {
  const program = `const { simulate } = await import('${new URL('./simulate.ts', import.meta.url).href}')
    for (const seed of [11, 12, 13]) console.log((await simulate(seed)).hash)`
  const elsewhere = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  const here: string[] = []
  for (const seed of [11, 12, 13]) here.push((await simulate(seed)).hash)
  const again: string[] = []
  for (const seed of [11, 12, 13]) again.push((await simulate(seed)).hash)
  expect(again).toEqual(here)
  expect(elsewhere.trim().split('\n')).toEqual(here)
  expect(new Set(here).size).toBe(3)
})

test('runs keep every promise, whatever goes wrong in them', async () => {
  for (let seed = 1; seed <= 20; seed++) expect(await simulate(seed)).toMatchObject({ seed, violations: [] })
})

test.each([
  [8, 'an attempt set aside before its snapshot had come, which held its place for ever'],
  [28, 'a node that bids and gives back, asked again a thousand times'],
  [492, 'a job that went on avoiding the node of an attempt that was given up'],
  [272, 'a node whose clock was set back, whose cards were news to nobody'],
  [1709, 'a home that followed an attempt whose snapshot it had not sent'],
  [1677, 'a word that an attempt is over, which overtook its award'],
  [1164, 'an attempt whose node came back to a home that had given up on sending its snapshot'],
])('seed %i, which found %s, breaks nothing', async seed => {
  expect(await simulate(seed)).toMatchObject({ violations: [] })
})

test('in a drill what was asked is done, its answer is lost, and no job needs a second attempt for it', async () => {
  const traced: string[] = []
  const outcome = await simulate(11, { onTrace: (_, line) => traced.push(line) })
  expect(isMild(outcome.faults)).toBe(true)
  expect(traced.filter(line => line.endsWith('is lost')).length).toBeGreaterThan(1)
  expect(outcome).toMatchObject({ violations: [], attempts: outcome.jobs })
})

test('a schedule is made as small as it can be and still fail', async () => {
  const tried: number[] = []
  const needs = (part: readonly number[]) => {
    tried.push(part.length)
    return Promise.resolve(part.includes(3) && part.includes(17))
  }
  expect(
    await shrink(
      Array.from({ length: 20 }, (_, index) => index),
      needs,
    ),
  ).toEqual([3, 17])
  expect(await shrink([1, 2], () => Promise.resolve(true))).toEqual([])
  expect(tried.length).toBeLessThan(80)
})
