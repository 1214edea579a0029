/** Runs at most once in an interval: at once when it has been quiet, else once more at the end of it. */
export function throttle(ms: number, run: () => void): { call(): void; stop(): void } {
  let timer: NodeJS.Timeout | null = null
  let isWanted = false
  const rest = () => {
    timer = null
    if (!isWanted) return
    isWanted = false
    call()
  }
  function call(): void {
    if (timer) {
      isWanted = true
      return
    }
    timer = setTimeout(rest, ms)
    timer.unref()
    run()
  }
  return {
    call,
    stop() {
      if (timer) clearTimeout(timer)
      isWanted = false
    },
  }
}
