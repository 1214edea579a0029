import { type ClientHttp2Session, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { virtualClock } from '#test/fakes/clock.ts'
import { createLine, type Line, speak } from './line.ts'

const clock = virtualClock()
const someLine = (): Line => createLine({ id: 'r1', clock, lostAfterMs: 1_000_000 })

/** A connection of a runner that does as told with what it is asked. */
async function connection(
  answer: (stream: ServerHttp2Stream) => void,
): Promise<{ home: ClientHttp2Session; runner: ServerHttp2Session }> {
  const accepted = Promise.withResolvers<Socket>()
  const server = createServer(accepted.resolve)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const near = connect(typeof address === 'object' && address ? address.port : 0, '127.0.0.1')
  const runner = performServerHandshake(await accepted.promise)
  server.close()
  runner.on('error', () => {})
  runner.on('stream', stream => {
    stream.on('error', () => {})
    answer(stream)
  })
  const home = speak(near)
  onTestFinished(() => home.destroy())
  return { home, runner }
}

const reply = (stream: ServerHttp2Stream) => {
  stream.respond({ ':status': 200 })
  stream.end('{}')
}

test('waits for the next connection when its runner closes one and stays in it', async () => {
  const line = someLine()
  const asked = Promise.withResolvers<void>()
  const closed = await connection(() => asked.resolve())
  line.attach(closed.home)
  const early = line.ask('GET', '/never')
  await asked.promise
  const told = new Promise(resolve => closed.home.once('goaway', resolve))
  closed.runner.goaway(0)
  await told
  const late = line.ask('GET', '/soon')
  // Would never come back to here if it were asked again and again over what takes no requests.
  await new Promise(setImmediate)
  line.attach((await connection(reply)).home)
  expect(await Promise.all([early, late])).toEqual([{}, {}])
  line.lose('the test is over')
})

test('gives up a runner that is there and does not answer what takes no time', async () => {
  const line = someLine()
  const asked = Promise.withResolvers<void>()
  line.attach((await connection(() => asked.resolve())).home)
  const answer = line.askPromptly('POST', '/signal')
  answer.catch(() => {})
  await asked.promise
  for (let second = 0; second < 70; second++) {
    clock.advance(1000)
    await new Promise(setImmediate)
  }
  await expect(answer).rejects.toMatchObject({ code: 'lost', message: 'Sandbox r1 is lost: its runner does not answer' })
})

test('gives up a runner that comes and goes without an answer', async () => {
  const line = someLine()
  const answer = line.askPromptly('POST', '/signal')
  answer.catch(() => {})
  for (let times = 0; !line.lost.aborted; times++) {
    expect(times).toBeLessThan(100)
    const ended = Promise.withResolvers<void>()
    const { home, runner } = await connection(() => runner.destroy())
    home.once('close', () => ended.resolve())
    line.attach(home)
    await ended.promise
  }
  await expect(answer).rejects.toMatchObject({ code: 'lost' })
})
