import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../src/config.ts'
import { createDriver, driverKinds } from '../src/drivers/create-driver.ts'
import { execOptions } from '../src/drivers/exec/options.ts'
import { hilinkOptions } from '../src/drivers/hilink/options.ts'
import { httpLinkOptions } from '../src/drivers/http-link/options.ts'
import { zteOptions } from '../src/drivers/zte/options.ts'
import { memoryState } from './memory-state.ts'
import { VirtualClock } from './virtual-clock.ts'

const page = readFileSync(new URL('../../../docs/agent.md', import.meta.url), 'utf8')
const chapter = page.slice(page.indexOf('\n## Drivers\n'))
const sectionOf = (kind: string): string => chapter.split('\n### ').find((part) => part.startsWith(`\`${kind}\``)) ?? ''

describe('docs/agent.md', () => {
  test.each(driverKinds)('has a section for the driver %s, whose example is taken', async (kind) => {
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(sectionOf(kind)) ?? []
    const config = parseConfig({ hub: 'http://127.0.0.1:3001', name: 'seoul-01', stateDir: '/tmp/x', ...JSON.parse(json) })
    expect(config.driver).toBe(kind)
    await createDriver(config.driver, config.driverOptions, { clock: new VirtualClock(), stateDir: memoryState(), name: config.name })
  })

  test.each([
    ['exec', execOptions],
    ['hilink', hilinkOptions],
    ['http-link', httpLinkOptions],
    ['zte', zteOptions],
  ])('names every option of %s', (kind, { shape }) => {
    const shared = chapter.slice(0, chapter.indexOf('\n### '))
    const unnamed = Object.keys(shape).filter((option) => !`${shared}${sectionOf(kind)}`.includes(`\`${option}\``))
    expect(unnamed).toEqual([])
  })
})
