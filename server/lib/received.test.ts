import { PassThrough, Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { received } from './received.ts'

/** Pieces in memory of their own, and a stream that has them all at once. */
function streamOf(sizes: readonly number[]) {
  const pieces = sizes.map((size, index) => new Uint8Array(size).fill(index))
  const stream = new Readable({ read() {}, highWaterMark: 2 ** 20 })
  for (const piece of pieces) stream.push(piece)
  stream.push(null)
  return { pieces, stream }
}

test('brings pieces as they came, and gives the memory of each back with the next', async () => {
  const { pieces, stream } = streamOf([100_000, 50_000, 70_000])
  const held: number[][] = []
  for await (const _ of received(stream)) held.push(pieces.map(piece => piece.byteLength))
  expect(held).toEqual([
    [100_000, 50_000, 70_000],
    [0, 50_000, 70_000],
    [0, 0, 70_000],
  ])
})

test('keeps memory that holds another piece still', async () => {
  const memory = new Uint8Array(Buffer.from('one two '.padEnd(100_000, '.')))
  const stream = Readable.from([memory.subarray(0, 3), memory.subarray(4, 7), Buffer.alloc(10, 'x')], { objectMode: false })
  const words: string[] = []
  for await (const piece of received(stream, ({ buffer }) => buffer === memory.buffer)) words.push(String(piece))
  expect({ words, left: memory.byteLength }).toEqual({ words: ['one', 'two', 'xxxxxxxxxx'], left: 0 })
})

test('asks for no more than its reader does', async () => {
  const stream = new PassThrough({ highWaterMark: 1000 })
  let took = 0
  for (let index = 0; index < 50; index++) stream.write(Buffer.alloc(1000), () => took++)
  const pieces = received(stream)
  await pieces.next()
  await new Promise(setImmediate)
  expect(took).toBeLessThan(5)
  await pieces.return(undefined)
  expect(stream.destroyed).toBe(true)
})

test.each([
  ['its error', new Error('no cable'), 'no cable'],
  ['that it broke off', undefined, 'It broke off'],
])('says of a stream that is destroyed %s, after what came', async (_, error, message) => {
  const stream = new PassThrough()
  stream.write('before')
  const pieces = received(stream)
  expect(String((await pieces.next()).value)).toBe('before')
  stream.destroy(error)
  await expect(pieces.next()).rejects.toThrow(message)
})

test('says so when the stream was destroyed before it was read', async () => {
  const stream = new PassThrough().on('error', () => {})
  stream.destroy(new Error('gone'))
  await new Promise(setImmediate)
  await expect(received(stream).next()).rejects.toThrow('gone')
})
