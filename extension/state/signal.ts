/** What ends a subscription. The editor's disposables fit, and these fit the editor. */
export interface Disposable {
  dispose(): void
}
/** Something that can be listened to. */
export type Listen<T> = (listener: (value: T) => void) => Disposable

export interface Signal<T> {
  readonly listen: Listen<T>
  /** Tells all who listen, in the order they came. */
  emit(value: T): void
}

export function createSignal<T>(): Signal<T> {
  const listeners = new Set<(value: T) => void>()
  return {
    listen(listener) {
      const own = (value: T) => listener(value)
      listeners.add(own)
      return { dispose: () => listeners.delete(own) }
    },
    emit(value) {
      for (const listener of [...listeners]) listener(value)
    },
  }
}
