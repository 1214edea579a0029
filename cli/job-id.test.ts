import { describe, expect, test } from 'vitest'
import { resolveJobId } from './job-id.ts'

const IDS = ['aaaaaa11111111', 'aaaaaa22222222', 'bbbbbb11112222', 'bbbbbb33333333']

/** A server with these jobs, two a page, that counts how often it is asked. */
function serverWith(ids: readonly string[]) {
  let asked = 0
  const listJobs = async ({ query }: { query?: { cursor?: string } } = {}) => {
    asked++
    const from = Number(query?.cursor ?? 0)
    const items = ids.slice(from, from + 2).map(id => ({ id }))
    return { items, nextCursor: from + 2 < ids.length ? String(from + 2) : null }
  }
  return { client: { listJobs, getJob: async () => ({}) } as unknown as Parameters<typeof resolveJobId>[0], asked: () => asked }
}

const resolve = (given: string) => resolveJobId(serverWith(IDS).client, given)

describe('resolveJobId', () => {
  test('takes a whole id as it is, without asking', async () => {
    const server = serverWith(IDS)
    expect(await resolveJobId(server.client, 'zzzzzz99999999')).toBe('zzzzzz99999999')
    expect(server.asked()).toBe(0)
  })

  test('finds the one job that starts or ends so, on any page', async () => {
    expect(await resolve('aaaaaa1')).toBe('aaaaaa11111111')
    expect(await resolve('3333')).toBe('bbbbbb33333333')
    expect(await resolve('BBBBBB3')).toBe('bbbbbb33333333')
  })

  test('says which jobs fit when more than one does', async () => {
    await expect(resolve('aaa')).rejects.toThrow('"aaa" fits 2 jobs: aaaaaa11111111, aaaaaa22222222.')
    await expect(resolve('2222')).rejects.toMatchObject({ exitCode: 2 })
  })

  test('refuses what fits none, and what is no part of an id', async () => {
    await expect(resolve('ccc')).rejects.toMatchObject({ code: 'not_found' })
    for (const wrong of ['', 'aa', '../etc', 'aaaaaa111111111', 'a b c'])
      await expect(resolve(wrong)).rejects.toMatchObject({ exitCode: 2 })
  })
})
