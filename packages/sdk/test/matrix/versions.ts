/** What the built package is tried with: the last patch of every Node and undici that it promises to work with. */
export const nodeVersions = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' } as const
export const undiciVersions = { 6: '6.29.1', 7: '7.30.2', 8: '8.12.4' } as const
export const typesVersions = { 20: '20', 22: '22', 24: '24', 26: '26' } as const

/** undici 8 needs Node 22.19; Node 20 cannot load it. */
export const pairs = ([20, 22, 24, 26] as const).flatMap((node) =>
  (['none', 6, 7, 8] as const).filter((undici) => !(node === 20 && undici === 8)).map((undici) => ({ node, undici })),
)
