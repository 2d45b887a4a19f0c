import type { Command } from 'commander'
import { parseMetricsAddress } from '../config.ts'
import type { Flags } from '../config-sources.ts'
import { createLogger } from '../logger.ts'
import { renderMetrics } from '../metrics.ts'
import { runDevices } from '../run-devices.ts'
import { serveMetrics } from '../serve-metrics.ts'
import { addConfigOptions, addServeOptions, checkedConfigs, gathered } from './config-options.ts'

/** npx hands on the Ctrl-C that the terminal has sent already: two signals so close together are one. */
const SAME_SIGNAL_MS = 500

/** `mobilepool-agent run`. */
export function addRunCommand(program: Command): void {
  const command = program.command('run').description('run the agent; it enrols the device on the first start')
  addServeOptions(addConfigOptions(command))
    .option('--metrics <address:port>', 'serve metrics for Prometheus there, on loopback only, e.g. 127.0.0.1:9464')
    .action(run)
}

async function run(flags: Flags): Promise<void> {
  const from = gathered(flags)
  const configs = checkedConfigs(from)
  const at = parseMetricsAddress(from.metrics)
  const devices = runDevices(configs)
  const metrics =
    at &&
    (await serveMetrics(at, () => renderMetrics(devices.statuses())).catch(async (error: unknown) => {
      await devices.stop()
      throw error
    }))
  if (metrics) createLogger('info', configs.map(({ name }) => name).join(',')).info({ url: metrics.url }, 'metrics')
  let askedAt: number | null = null
  const stop = (signal: NodeJS.Signals): void => {
    if (askedAt !== null) {
      // Whoever presses Ctrl-C twice does not want to wait; what was cut short is mended by the next start.
      if (performance.now() - askedAt > SAME_SIGNAL_MS) process.exit(signal === 'SIGINT' ? 130 : 143)
      return
    }
    askedAt = performance.now()
    // What went wrong is told by `ended`.
    devices.stop().catch(() => {})
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  try {
    await devices.ended
  } finally {
    await metrics?.close()
  }
}
