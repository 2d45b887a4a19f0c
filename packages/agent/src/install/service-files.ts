/** How the agent is started when its machine is. */
export type ServiceKind = 'systemd' | 'systemd-user' | 'termux'

/** What is started. */
export interface ServiceSpec {
  /** Absolute path of Node. */
  readonly node: string
  /** Absolute path of the agent's program. */
  readonly program: string
  /** Absolute path of the configuration file. */
  readonly config: string
  readonly home: string
}

/** A rotation under way is ended with the device switched on again before the agent ends. */
const STOP_S = 90

/** The unit of systemd that runs the agent; as the system's own it runs as the user given. */
export function systemdUnit(kind: 'systemd' | 'systemd-user', { node, program, config, home }: ServiceSpec, user: string): string {
  const isSystem = kind === 'systemd'
  const own = isSystem ? [`User=${user}`, `Environment=${quoted(`HOME=${home}`)}`] : []
  // Routes of a mobile interface need it; root has it.
  const capability = isSystem && user !== 'root' ? ['AmbientCapabilities=CAP_NET_ADMIN'] : []
  return `${[
    '# Written by mobilepool-agent install; uninstall removes it.',
    '[Unit]',
    'Description=MobilePool agent',
    'Wants=network-online.target',
    'After=network-online.target',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    `ExecStart=${[node, program, 'run', '--config', config].map(quoted).join(' ')}`,
    ...own,
    ...capability,
    'Restart=always',
    'RestartSec=5',
    'KillMode=mixed',
    `TimeoutStopSec=${STOP_S}`,
    '',
    '[Install]',
    `WantedBy=${isSystem ? 'multi-user.target' : 'default.target'}`,
  ].join('\n')}\n`
}

/** The script that Termux:Boot runs when the phone has started. */
export function termuxScript({ node, program, config, home }: ServiceSpec): string {
  const log = `${home}/.mobilepool/agent.log`
  return `${[
    '#!/data/data/com.termux/files/usr/bin/sh',
    '# Written by mobilepool-agent install; uninstall removes it.',
    '# Without the lock Android stops the agent when the screen goes off.',
    'termux-wake-lock',
    'while true; do',
    `  [ -f ${shell(log)} ] && mv ${shell(log)} ${shell(`${log}.1`)}`,
    `  ${[node, program, 'run', '--config', config].map(shell).join(' ')} > ${shell(log)} 2>&1`,
    '  sleep 5',
    'done',
  ].join('\n')}\n`
}

/** systemd.service(5), "Command lines": in double quotes, with C escapes and % doubled. */
const quoted = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`

const shell = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
