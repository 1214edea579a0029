/**
 * Lines of a stream of UTF-8, without their ends. What follows the last end of a line is one only if `andRest`: a stream that breaks off
 * leaves a part of a line. @throws {Error} with the words of `tooLong` once one has more than `mostCharacters`
 */
export async function* linesOf(
  stream: AsyncIterable<Uint8Array>,
  { mostCharacters, tooLong, andRest = false }: { mostCharacters: number; tooLong: string; andRest?: boolean },
): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  // In pieces: a long line that comes in many would be copied with each.
  let rest: string[] = []
  let length = 0
  for await (const piece of stream) {
    const [first = '', ...others] = decoder.decode(piece, { stream: true }).split('\n')
    rest.push(first)
    length += first.length
    if (length > mostCharacters) throw new Error(tooLong)
    const last = others.pop()
    if (last === undefined) continue
    yield rest.join('')
    yield* others
    rest = [last]
    length = last.length
  }
  if (andRest && length > 0) yield rest.join('')
}
