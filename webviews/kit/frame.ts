/** Runs work one after another, with a pause between: asked for while it runs, once more after it. @param pauseMs milliseconds */
export function oneAfterAnother(work: () => Promise<void>, pauseMs: number): { ask(): void; cancel(): void } {
  let isAsked = false
  let isRunning = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const run = async () => {
    isRunning = true
    isAsked = false
    try {
      await work()
    } finally {
      timer = setTimeout(() => {
        isRunning = false
        if (isAsked) void run()
      }, pauseMs)
    }
  }
  return {
    ask() {
      isAsked = true
      if (!isRunning) void run()
    },
    cancel() {
      clearTimeout(timer)
      isAsked = false
      isRunning = false
    },
  }
}

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
