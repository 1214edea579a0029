import { describe, expect, it } from 'vitest'
import { json, startStub } from '#test/fakes/stub-server.ts'
import { connect } from './connect.ts'
import { EXIT } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import type { World } from './world.ts'

const world = { env: {}, cwd: '/' }

describe('a server that is none, or goes away', () => {
  it('is told of as such when it answers with a page', async () => {
    await using stub = await startStub((_, response) => void response.end('<html>hi</html>'))
    const { client } = await connect(world, { url: stub.url, token: 'x' })
    await expect(client.listJobs()).rejects.toMatchObject({
      exitCode: EXIT.unavailable,
      message: `What answers at ${stub.url} is not a Skein server.`,
    })
  })

  it('is told of as such when it answers with other JSON', async () => {
    await using stub = await startStub((_, response) => json(response, { hello: 'world' }))
    const { client } = await connect(world, { url: stub.url, token: 'x' })
    const said: string[] = []
    const err = { paint: (_: unknown, text: string) => text, line: async (text = '') => void said.push(text) }
    const code = await client.listJobs().catch(error => reportFailure({ env: {}, err: err as unknown as World['err'] }, error))
    expect([code, said[0]]).toEqual([
      EXIT.unavailable,
      'skein: The server answered in a form that this version of skein does not know.',
    ])
  })

  it('is told of as such in the middle of an answer', async () => {
    await using stub = await startStub((_, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('some', () => response.destroy())
    })
    const { client } = await connect(world, { url: stub.url, token: 'x' })
    const answer = await client.readLog({ params: { id: 'abcdefghijklmn' } })
    await expect(answer.arrayBuffer()).rejects.toMatchObject({
      exitCode: EXIT.unavailable,
      message: expect.stringContaining('cannot be reached'),
    })
  })
})
