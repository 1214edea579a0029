/** Runs work at most once a frame, however often it is asked for; when the page is not shown, ten times a second. */
export function oncePerFrame(work: () => void): { ask(): void; cancel(): void } {
  let frame = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  const run = () => {
    cancel()
    work()
  }
  const cancel = () => {
    cancelAnimationFrame(frame)
    clearTimeout(timer)
    frame = 0
  }
  return {
    ask() {
      if (frame !== 0) return
      frame = requestAnimationFrame(run)
      timer = setTimeout(run, 100)
    },
    cancel,
  }
}
