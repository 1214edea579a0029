type Methods = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>

/** An object, all of whose methods answer by promise, that is loaded when one of them is first called. */
export function whenCalled<T extends object>(load: () => Promise<T>): T {
  let loading: Promise<T> | undefined
  async function call(name: string, args: unknown[]): Promise<unknown> {
    loading ??= load()
    const method = ((await loading) as Methods)[name] as ((...args: unknown[]) => Promise<unknown>) | undefined
    if (!method) throw new TypeError(`There is no method ${name}`)
    return method(...args)
  }
  return new Proxy({} as T, {
    // Whoever awaits the object itself asks for `then`.
    get: (_, name) => (typeof name === 'symbol' || name === 'then' ? undefined : (...args: unknown[]) => call(name, args)),
  })
}
