import type { RefusalCode } from '@mobilepool/sdk/proxy-server'

/** One way by which connections come to the device. */
export interface Entrance {
  refuse(code: RefusalCode): void
  accept(): void
  /** Resolves when nothing is under way. */
  drained(): Promise<void>
  /** Cuts everything under way, and returns how many that were. */
  destroyConnections(): number
}

/** Several ways as one: the local proxy and the tunnel open, drain and are cut together. */
export const together = (entrances: readonly Entrance[]): Entrance => ({
  refuse: (code) => {
    for (const entrance of entrances) entrance.refuse(code)
  },
  accept: () => {
    for (const entrance of entrances) entrance.accept()
  },
  drained: async () => {
    await Promise.all(entrances.map((entrance) => entrance.drained()))
  },
  destroyConnections: () => entrances.reduce((cut, entrance) => cut + entrance.destroyConnections(), 0),
})
