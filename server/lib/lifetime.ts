/** Undoes what was done, in reverse order, and goes on past failures. */
export class Lifetime implements AsyncDisposable {
  readonly #undo: (() => void | Promise<void>)[] = []

  defer(undo: () => void | Promise<void>): void {
    this.#undo.push(undo)
  }

  use<T extends { close(): void | Promise<void> }>(thing: T): T {
    this.defer(() => thing.close())
    return thing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = []
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      try {
        await undo()
      } catch (cause) {
        failures.push(cause)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'Failed to stop cleanly')
  }
}
