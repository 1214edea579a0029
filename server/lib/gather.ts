/** All that comes of a stream. @throws {Error} with these words once it is more than `mostBytes` */
export async function gather(stream: AsyncIterable<Buffer>, mostBytes: number, tooMuch: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    if (length > mostBytes) throw new Error(tooMuch)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
