import { describe, expect, it } from 'vitest'
import { runDemo, runDemoUntilCtrlC } from './running-demo.ts'

const patience = 120_000

describe('the demo', () => {
  it('answers every request once and ends with exit code 0, also when an agent is killed with SIGKILL', { timeout: patience }, async () => {
    const { code, output } = await runDemo('--for', '20s', '--kill', 'seoul-01')
    expect(output).toMatch(/^Dashboard: http:\/\/127\.0\.0\.1:\d+\/\n/)
    expect(output).toContain("kill -9 of seoul-01's agent")
    expect(output).toMatch(/✓ every request answered exactly once \((\d+) of \1\)/)
    expect(output).toMatch(/✓ 0 errors/)
    expect(output).toMatch(/✓ \d+ distinct exit IPs/)
    expect(output).toMatch(/✓ \d+ rotations: [1-9]\d* changed/)
    expect(code).toBe(0)
  })

  it('ends with exit code 1 when a device hands out wrong answers', { timeout: patience }, async () => {
    const { code, output } = await runDemo('--for', '10s', '--sabotage', 'wrong-answers')
    expect(output).toMatch(/✗ [1-9]\d* errors: .*(is that of|not what the site wrote)/)
    expect(code).toBe(1)
  })

  it('ends with exit code 1 when a device loses requests', { timeout: patience }, async () => {
    const { code, output } = await runDemo('--for', '10s', '--sabotage', 'lose-requests')
    expect(output).toMatch(/✗ every answer came from the site: the site never answered/)
    expect(code).toBe(1)
  })

  it('ends with its totals on Ctrl-C, which a terminal sends to every process in its foreground', { timeout: patience }, async () => {
    const { code, output } = await runDemoUntilCtrlC(/ [1-9]\d* +changed by /)
    expect(output).toMatch(/✓ every request answered exactly once \((\d+) of \1\)/)
    expect(output).toMatch(/✓ 0 errors/)
    expect(output).not.toContain('✗')
    expect(code).toBe(0)
  })

  it.each(['soon', '0s', '-5s', '1441m'])('refuses to run for %s, naming the flag', async (time) => {
    const { code, output } = await runDemo('--for', time)
    expect(output).toContain(`option '--for <time>' argument '${time}' is invalid. Give a time like 30s or 2m, at most a day.`)
    expect(code).toBe(1)
  })
})
