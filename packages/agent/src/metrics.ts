import type { AgentStatus } from './control/status.ts'

interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  /** The value of one device, or one for each further label; null: it has none now. */
  readonly of: (status: AgentStatus) => number | null | Readonly<Record<string, number>>
  readonly label?: string
}

const seconds = (time: string): number => Date.parse(time) / 1_000
const flag = (value: boolean): number => (value ? 1 : 0)
const telemetryOf =
  (field: string) =>
  ({ telemetry }: AgentStatus): number | null => {
    const value = telemetry?.[field]
    return typeof value === 'number' ? value : null
  }

const metrics: readonly Metric[] = [
  {
    name: 'start_time_seconds',
    help: 'When the agent of the device was started.',
    type: 'gauge',
    of: (status) => seconds(status.started_at),
  },
  {
    name: 'heartbeat_ok',
    help: 'Whether the last heartbeat reached the hub.',
    type: 'gauge',
    of: ({ heartbeat }) => (heartbeat ? flag(heartbeat.failure === null) : null),
  },
  {
    name: 'heartbeat_time_seconds',
    help: 'When the last heartbeat was sent.',
    type: 'gauge',
    of: ({ heartbeat }) => (heartbeat ? seconds(heartbeat.at) : null),
  },
  {
    name: 'tunnel_sessions',
    help: 'Connections to the hub by which it reaches the device.',
    type: 'gauge',
    of: ({ tunnel }) => tunnel.sessions,
  },
  { name: 'rotating', help: 'Whether the device is rotating.', type: 'gauge', of: (status) => flag(status.is_rotating) },
  {
    name: 'egress_leak',
    help: 'Whether traffic would leave by another way than the device.',
    type: 'gauge',
    of: (status) => flag(status.is_leaking),
  },
  { name: 'rotations_total', help: 'Rotations, by how they ended.', type: 'counter', label: 'outcome', of: ({ rotations }) => rotations },
  {
    name: 'trouble',
    help: 'Whether the device has lost its connection by itself.',
    type: 'gauge',
    of: (status) => flag(status.trouble !== null),
  },
  {
    name: 'recoveries_total',
    help: 'Troubles that are over, by what brought the device back.',
    type: 'counter',
    label: 'by',
    of: ({ recoveries }) => recoveries,
  },
  {
    name: 'last_rotation_duration_seconds',
    help: 'How long the last rotation took.',
    type: 'gauge',
    of: (status) => (status.last_rotation ? status.last_rotation.took_ms / 1_000 : null),
  },
  { name: 'unreported_results', help: 'Results that the hub has not acknowledged.', type: 'gauge', of: (status) => status.unreported },
  { name: 'connections', help: 'Connections that go through the device.', type: 'gauge', of: (status) => status.connections },
  {
    name: 'bytes_total',
    help: 'Payload that went through the device.',
    type: 'counter',
    label: 'direction',
    of: (status) => ({ up: status.bytes_up, down: status.bytes_down }),
  },
  { name: 'signal_percent', help: 'Signal, as the device says.', type: 'gauge', of: telemetryOf('signal') },
  { name: 'battery_percent', help: 'Battery, as the device says.', type: 'gauge', of: telemetryOf('battery') },
  { name: 'temperature_celsius', help: 'Temperature, as the device says.', type: 'gauge', of: telemetryOf('temperature') },
]

/** The metrics of this process's devices in Prometheus' text format. `null`: a device that is not running now. */
export function renderMetrics(devices: ReadonlyMap<string, AgentStatus | null>): string {
  const lines = family('up', 'Whether the agent of the device is running.', 'gauge')
  for (const [name, status] of devices) lines.push(sample('up', { device: name }, flag(status !== null)))
  for (const { name, help, type, of, label } of metrics) {
    const samples = [...devices].flatMap(([device, status]) => {
      const value = status ? of(status) : null
      if (value === null) return []
      if (typeof value === 'number') return [sample(name, { device }, value)]
      return Object.entries(value).map(([key, part]) => sample(name, { device, [label ?? 'key']: key }, part))
    })
    if (samples.length > 0) lines.push(...family(name, help, type), ...samples)
  }
  return `${lines.join('\n')}\n`
}

const family = (name: string, help: string, type: string): string[] => [
  `# HELP mobilepool_agent_${name} ${help}`,
  `# TYPE mobilepool_agent_${name} ${type}`,
]

/** Names of devices hold no character that would have to be escaped. */
const sample = (name: string, labels: Readonly<Record<string, string>>, value: number): string =>
  `mobilepool_agent_${name}{${Object.entries(labels)
    .map(([key, text]) => `${key}="${text}"`)
    .join(',')}} ${value}`
