/** Where a process may be cut off: before the call of a port's method, or after it took effect. */
export type Step = (name: string, when: 'before' | 'after') => void

/** What ports return that has methods of its own and belongs to the attempt, so that its calls are steps too. */
const NESTED = new Set(['writer', 'prepare', 'start', 'open'])
/** Subscriptions and figures: no effect of theirs can be half done. */
const QUIET = new Set(['onEvents', 'onQueued', 'counts', 'follow', 'followAll', 'signal', 'close'])

/** Wraps a port so that every call of its methods passes two steps. The product knows nothing of this. */
export function interrupted<T extends object>(port: T, name: string, step: Step): T {
  return new Proxy(port, {
    get(target, property, receiver) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      if (typeof property !== 'string' || QUIET.has(property)) return value.bind(target)
      return (...args: unknown[]) => {
        const call = `${name}.${property}`
        step(call, 'before')
        const answer: unknown = Reflect.apply(value, target === receiver ? receiver : target, args)
        if (!(answer instanceof Promise)) return answer
        return answer.then(result => {
          step(call, 'after')
          const isNested = NESTED.has(property) && typeof result === 'object' && result !== null
          return isNested ? interrupted(result as object, call, step) : result
        })
      }
    },
  })
}
