import { createHook } from 'node:async_hooks'

/** Resources that keep a process busy or hold memory until somebody ends them. */
const WATCHED = /^(Timeout|TCPWRAP|TCPSERVERWRAP|TCPCONNECTWRAP|TLSWRAP|PIPEWRAP|GETADDRINFOREQWRAP)$/

export interface LeftoverWatch {
  /** What was made since the watch began and has not ended: kinds and counts. Timers that are unref'd count too. */
  left(): Record<string, number>
  stop(): void
}

/** Keeps book of sockets and timers that are made from now on. */
export function watchLeftovers(): LeftoverWatch {
  const open = new Map<number, string>()
  const hook = createHook({
    init(id, type) {
      if (WATCHED.test(type)) open.set(id, type)
    },
    destroy(id) {
      open.delete(id)
    },
  }).enable()
  return {
    left() {
      const counts: Record<string, number> = {}
      for (const type of open.values()) counts[type] = (counts[type] ?? 0) + 1
      return counts
    },
    stop: () => void hook.disable(),
  }
}
