/** Length of the header of a log frame. */
export const LOG_HEADER_BYTES = 16
const LOG_FRAME = 1

/**
 * Writes the header of a log frame over its first 16 bytes: kind (u8), three zero bytes, subscription (u32), offset of the first
 * byte (u64); big endian.
 */
export function writeLogHeader(frame: Uint8Array, subscriptionId: number, offset: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, LOG_HEADER_BYTES)
  view.setUint32(0, LOG_FRAME << 24)
  view.setUint32(4, subscriptionId)
  view.setBigUint64(8, BigInt(offset))
}

/** @throws {Error} when the frame is too short or of another kind. */
export function decodeLogFrame(frame: Uint8Array): { subscription: number; offset: number; bytes: Uint8Array } {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (frame.byteLength < LOG_HEADER_BYTES || view.getUint8(0) !== LOG_FRAME) throw new Error('not a log frame')
  return { subscription: view.getUint32(4), offset: Number(view.getBigUint64(8)), bytes: frame.subarray(LOG_HEADER_BYTES) }
}
