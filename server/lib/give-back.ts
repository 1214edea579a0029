/**
 * Gives the memory of bytes back at once. Left to the collection of garbage, the pieces of a stream make it run every few MiB, which
 * costs more than all else that is done with them.
 * @param bytes of which no one will read or write any more; nothing happens to those that are only a part of their memory
 */
export function giveBack(bytes: Uint8Array): void {
  if (hasOwnMemory(bytes)) bytes.buffer.transfer(0)
}

/** Whether bytes are all of their memory. */
export const hasOwnMemory = (bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> =>
  bytes.byteLength > 0 && bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
