import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { addConfigOptions, addServeOptions } from '../src/cli/config-options.ts'
import { createProgram } from '../src/cli/program.ts'
import { parseConfig, parseMetricsAddress } from '../src/config.ts'
import { gatherConfig } from '../src/config-sources.ts'
import { androidAdbOptions } from '../src/drivers/android-adb/options.ts'
import { androidLocalOptions } from '../src/drivers/android-local/options.ts'
import { atOptions } from '../src/drivers/at/options.ts'
import { createDriver, driverKinds } from '../src/drivers/create-driver.ts'
import { execOptions } from '../src/drivers/exec/options.ts'
import { hilinkOptions } from '../src/drivers/hilink/options.ts'
import { httpLinkOptions } from '../src/drivers/http-link/options.ts'
import { modemManagerOptions } from '../src/drivers/modemmanager/options.ts'
import { qmiOptions } from '../src/drivers/qmi/options.ts'
import { zteOptions } from '../src/drivers/zte/options.ts'
import { memoryState } from './memory-state.ts'
import { VirtualClock } from './virtual-clock.ts'

const page = readFileSync(new URL('../../../docs/agent.md', import.meta.url), 'utf8')
const chapter = page.slice(page.indexOf('\n## Drivers\n'))
const sectionOf = (kind: string): string => chapter.split('\n### ').find((part) => part.startsWith(`\`${kind}\``)) ?? ''

/** Flags that say what a device is: they are those of the file. */
const shared = new Set(addServeOptions(addConfigOptions(new Command())).options.map(({ long }) => long))

describe('docs/agent.md', () => {
  test.each(driverKinds)('has a section for the driver %s, whose example is taken', async (kind) => {
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(sectionOf(kind)) ?? []
    const config = parseConfig({ hub: 'http://127.0.0.1:3001', name: 'seoul-01', stateDir: '/tmp/x', ...JSON.parse(json) })
    expect(config.driver).toBe(kind)
    await createDriver(config.driver, config.driverOptions, { clock: new VirtualClock(), stateDir: memoryState(), name: config.name })
  })

  test.each([
    ['android-adb', androidAdbOptions],
    ['android-local', androidLocalOptions],
    ['at', atOptions],
    ['exec', execOptions],
    ['hilink', hilinkOptions],
    ['http-link', httpLinkOptions],
    ['modemmanager', modemManagerOptions],
    ['qmi', qmiOptions],
    ['zte', zteOptions],
  ])('names every option of %s', (kind, { shape }) => {
    const shared = chapter.slice(0, chapter.indexOf('\n### '))
    const unnamed = Object.keys(shape).filter((option) => !`${shared}${sectionOf(kind)}`.includes(`\`${option}\``))
    expect(unnamed).toEqual([])
  })

  test('names every command and its own flags, and gives an example of several devices that is taken', () => {
    const start = page.slice(page.indexOf('## From a token'), page.indexOf('## The tunnel'))
    const program = createProgram()
    for (const command of program.commands) {
      const row = start.split('\n').find((line) => line.startsWith(`| \`${command.name()}\` |`))
      expect(row, command.name()).toBeDefined()
      const own = command.options.map(({ long }) => long ?? '').filter((flag) => !shared.has(flag))
      for (const flag of own) expect(start, `${command.name()} ${flag}`).toContain(flag)
    }
    const commands = [...start.matchAll(/^mobilepool-agent (.*)$/gm)].map(([, line = '']) => line.split(' '))
    expect(commands.map(([name]) => name)).toEqual(['enroll', 'doctor', 'run', 'install'])
    for (const [name, ...flags] of commands) {
      const known = program.commands.find((command) => command.name() === name)?.options.map(({ long }) => long) ?? []
      for (const flag of flags.filter((word) => word.startsWith('--'))) expect(known).toContain(flag)
    }
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(start) ?? []
    const folder = mkdtempSync(join(tmpdir(), 'mp-docs-'))
    writeFileSync(join(folder, 'agent.json'), json)
    const { devices, metrics } = gatherConfig({ config: join(folder, 'agent.json') }, {})
    rmSync(folder, { recursive: true })
    expect(devices.map(({ input, whereIs }) => parseConfig(input, whereIs).driver)).toEqual(['hilink', 'zte'])
    expect(parseMetricsAddress(metrics)).toEqual({ host: '127.0.0.1', port: 9464 })
  })
})
