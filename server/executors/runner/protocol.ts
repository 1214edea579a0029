// What a runner and its home say to each other. The runner dials; over the connection the home speaks HTTP/2 as the client, the runner
// answers as the server. Everything asked is safe to ask again: programs have ids, streams have offsets.

/** Where a home listens. A fingerprint is that of its certificate, as Node.js prints it (SHA-256). */
export type HomeAddress =
  | { readonly socket: string }
  | { readonly host: string; readonly port: number; readonly fingerprint: string }

/** All a runner knows, in a file that it is started with. */
export interface RunnerToken {
  readonly id: string
  /** Proves to the home which sandbox this is. */
  readonly secret: string
  /** Tried in turn. */
  readonly homes: readonly HomeAddress[]
  readonly workDir: string
  /** Directories whose files count as the sandbox's. */
  readonly disk: readonly string[]
  readonly spool: string
  /** Output of one stream that is kept for a home that has not taken it, before the program waits. */
  readonly spoolBytes: number
  /** After so long without a home everything ends. */
  readonly awayMs: number
  /** Where it listens for programs that want out, on 127.0.0.1; null: there is no way out. */
  readonly relayPort: number | null
  /** Whether all other processes that it sees are the sandbox's (a process namespace), and the control group too. */
  readonly alone: boolean
}

export interface ProgramRequest {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly stdin: boolean
  readonly limits: { readonly cpuSeconds: number; readonly fileBytes: number }
}

export const paths = {
  hello: '/hello',
  program: (id: string) => `/programs/${id}`,
  exit: (id: string) => `/programs/${id}/exit`,
  output: (id: string, name: OutputName, from: number) => `/programs/${id}/${name}?from=${from}`,
  input: (id: string, at: number) => `/programs/${id}/stdin?at=${at}`,
  inputEnd: (id: string) => `/programs/${id}/stdin-end`,
  signal: (id: string, signal: string) => `/programs/${id}/signal?name=${signal}`,
  signalAll: (signal: string) => `/signal?name=${signal}`,
  stats: '/stats',
  wayOut: '/way-out',
  tree: '/tree',
  end: '/end',
}
export type OutputName = 'stdout' | 'stderr'

/** Header of an answer that is an error, with its code. */
export const ERROR_HEADER = 'skein-error'
