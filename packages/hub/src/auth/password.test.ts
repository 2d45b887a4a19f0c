import { describe, expect, test } from 'vitest'
import { Passwords } from './password.ts'

describe('passwords', () => {
  const passwords = new Passwords(10)

  test('are kept as bcrypt of the cost that was asked for, and compared', async () => {
    const hash = await passwords.hash('correct horse battery')
    expect(hash).toMatch(/^\$2b\$10\$.{53}$/)
    expect(await passwords.matches('correct horse battery', hash)).toBe(true)
    expect(await passwords.matches('correct horse batterY', hash)).toBe(false)
  })

  test('of nobody are never right, and are compared all the same', async () => {
    const hash = await passwords.hash('correct horse battery')
    const timed = async (of: string | null): Promise<number> => {
      const before = process.cpuUsage()
      expect(await passwords.matches('wrong horse battery', of)).toBe(false)
      return process.cpuUsage(before).user
    }
    await timed(hash)
    // The same work, in CPU time; without the comparison nobody's would take a hundredth.
    const [known, nobody] = [await timed(hash), await timed(null)]
    expect(nobody).toBeGreaterThan(known / 4)
  })

  test('that only begin like the right one are wrong, although bcrypt reads 72 bytes', async () => {
    const long = 'ф'.repeat(36)
    const hash = await passwords.hash(long)
    expect(await passwords.matches(long, hash)).toBe(true)
    expect(await passwords.matches(`${long}more`, hash)).toBe(false)
    await expect(passwords.hash(`${long}more`)).rejects.toThrow()
  })

  test('that too many wait for are refused, not queued without end', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 60 }, () => passwords.matches('x', null)))
    const refused = asked.filter((one) => one.status === 'rejected')
    expect(refused).toHaveLength(8)
    expect(refused[0]).toMatchObject({ reason: { code: 'too_many_requests', extras: { retryAfter: 5 } } })
  })
})
