/** Many may be inside at once, or one alone; whoever comes first is served first. */
export interface Gate {
  shared<T>(work: () => Promise<T>): Promise<T>
  alone<T>(work: () => Promise<T>): Promise<T>
}

export function createGate(): Gate {
  let lastAlone: Promise<unknown> = Promise.resolve()
  let inside: Promise<unknown>[] = []
  const settled = (work: Promise<unknown>) => work.then(ignore, ignore)
  return {
    shared(work) {
      const run = lastAlone.then(work)
      const over = settled(run)
      inside.push(over)
      void over.then(() => {
        inside = inside.filter(other => other !== over)
      })
      return run
    },
    alone(work) {
      const run = Promise.all([lastAlone, ...inside]).then(work)
      lastAlone = settled(run)
      return run
    },
  }
}

const ignore = () => {}
