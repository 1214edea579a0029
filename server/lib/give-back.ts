/**
 * Gives the memory of bytes back at once. Left to the collection of garbage, the pieces of a stream make it run every few MiB, which
 * costs more than all else that is done with them.
 * @param bytes of which no one will read or write any more; nothing happens to those that are only a part of their memory
 */
export function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (byteLength > 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
