import { PassThrough, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { sendBytes } from './send-bytes.ts'

const PIECE_BYTES = 256 * 1024

/** Pieces without end, and how many were asked for. */
function endless() {
  const seen = { made: 0, isOver: false }
  async function* make() {
    try {
      for (;;) {
        seen.made += 1
        yield new Uint8Array(PIECE_BYTES)
      }
    } finally {
      seen.isOver = true
    }
  }
  return { seen, pieces: make() }
}

/** A connection that takes a piece when told to. */
function slowWire() {
  const taken: (() => void)[] = []
  return { taken, wire: new Writable({ write: (_piece, _encoding, done) => void taken.push(done) }) }
}

const turn = () => new Promise<void>(resolve => setImmediate(resolve))

test('sends all in order and gives the memory of each piece back', async () => {
  const pieces = [1, 2, 3, 4].map(byte => new Uint8Array(PIECE_BYTES).fill(byte))
  const came: number[] = []
  const wire = new Writable({
    write(piece: Buffer, _, done) {
      came.push(piece.byteLength, piece[PIECE_BYTES - 1] ?? 0)
      setImmediate(done)
    },
  })
  async function* source() {
    yield* pieces
    yield new Uint8Array()
  }
  await sendBytes(source(), wire)
  await new Promise(resolve => wire.once('finish', resolve))
  expect(came).toEqual([PIECE_BYTES, 1, PIECE_BYTES, 2, PIECE_BYTES, 3, PIECE_BYTES, 4])
  expect(pieces.map(piece => piece.byteLength)).toEqual([0, 0, 0, 0])
})

test('reads ahead of a caller by two pieces, and not on before it has taken one', async () => {
  const { seen, pieces } = endless()
  const { taken, wire } = slowWire()
  void sendBytes(pieces, wire)
  for (let index = 0; index < 20; index++) await turn()
  expect(seen.made).toBe(2)
  taken.shift()?.()
  for (let index = 0; index < 20; index++) await turn()
  expect(seen.made).toBe(3)
  wire.destroy()
})

test.each(['while it takes nothing', 'before it is sent anything'])('ends the source when the caller goes %s', async when => {
  const { seen, pieces } = endless()
  const { wire } = slowWire()
  if (when.startsWith('before')) wire.destroy()
  const sent = sendBytes(pieces, wire)
  await turn()
  wire.destroy()
  await sent
  await turn()
  // One that was never begun has nothing to end.
  expect(seen).toEqual(when.startsWith('before') ? { made: 0, isOver: false } : { made: 2, isOver: true })
})

test('tells what a source fails with, and leaves the answer open', async () => {
  const wire = new PassThrough()
  async function* source() {
    yield new Uint8Array(10)
    throw new Error('disk gone')
  }
  await expect(sendBytes(source(), wire)).rejects.toThrow('disk gone')
  expect([wire.read()?.byteLength, wire.writableEnded]).toEqual([10, false])
})
