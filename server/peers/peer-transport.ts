import type { requestBytes } from './request-bytes.ts'

/** How requests go to other nodes, and how theirs come here. Another one is a file beside this and a line in compose.ts. */
export interface PeerTransport {
  /** Sends a request, as `fetch` does. @throws {Error} when it cannot be delivered */
  readonly fetch: typeof globalThis.fetch
  /** The same for an answer that is bytes of any number. @throws {Error} when the request cannot be delivered */
  readonly requestBytes: typeof requestBytes
  /** Listens for other nodes on these addresses of this machine, and on no others any more. @throws {Error} when one cannot be had */
  listen(addresses: readonly string[]): Promise<void>
}
