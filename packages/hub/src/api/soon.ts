/** What a promise that never rejects gives, or `late` after this long: a slow database must not hold connections. */
export async function soon<T>(work: Promise<T>, ms: number): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ms)
  })
  const first = await Promise.race([work, late])
  clearTimeout(timer)
  return first
}
