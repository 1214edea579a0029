/** Values that must never leave this node, and who may call. */
export interface Secrets {
  /** Adds a value (at least 8 characters, or it is ignored). @returns forgets it again. */
  add(value: string, name: string): () => void
  /** Name of the first secret found in a text, or null. */
  find(text: string): string | null
  /** Replaces every secret in a text. */
  redact(text: string): string
  /** A stateful redactor for a byte stream: holds back what could be the start of a secret until it knows; `end` lets go of it. */
  stream(): (bytes: Uint8Array, end: boolean) => Uint8Array
  /** What to look for in files: every value in every form that would be struck out. */
  forms(): readonly string[]
}

/** The node's own token, made on first start (file mode 0600). */
export interface LocalToken {
  readonly value: string
  /** Compares in constant time. */
  matches(candidate: string): boolean
}
