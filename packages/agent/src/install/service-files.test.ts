import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { serviceFile, systemdCommands, usualKind } from './service.ts'
import { systemdUnit, termuxScript } from './service-files.ts'

const spec = { node: '/opt/node 24/bin/node', program: '/usr/lib/it\'s/"100%"/main.js', config: '/home/pi/$x/agent.json', home: '/home/pi' }

test('a unit says paths as systemd reads them, and has routes allowed to a user who is not root', () => {
  const unit = systemdUnit('systemd', spec, 'pi')
  expect(unit).toContain(
    `ExecStart="/opt/node 24/bin/node" "/usr/lib/it's/\\"100%%\\"/main.js" "run" "--config" "/home/pi/$$x/agent.json"\n`,
  )
  expect(unit).toContain('User=pi\nEnvironment="HOME=/home/pi"\nAmbientCapabilities=CAP_NET_ADMIN\n')
  expect(systemdUnit('systemd', spec, 'root')).not.toContain('AmbientCapabilities')
  const own = systemdUnit('systemd-user', spec, 'pi')
  expect(own).not.toContain('User=')
  expect(own).toContain('WantedBy=default.target')
})

test('a script for Termux says paths as a shell reads them', () => {
  const script = termuxScript(spec)
  const words = /^ {2}('.*) > '/m.exec(script)?.[1]
  const read = execFileSync('/bin/sh', ['-c', `printf '%s\\n' ${words}`], { encoding: 'utf8' })
  expect(read.trimEnd().split('\n')).toEqual([spec.node, spec.program, 'run', '--config', spec.config])
  execFileSync('/bin/sh', ['-n', '-c', script])
})

test.each([
  [{ isRoot: true, home: '/root', prefix: undefined }, 'systemd', '/etc/systemd/system/mobilepool-agent.service'],
  [{ isRoot: false, home: '/home/pi', prefix: undefined }, 'systemd-user', '/home/pi/.config/systemd/user/mobilepool-agent.service'],
  [
    { isRoot: false, home: '/data/data/com.termux/files/home', prefix: '/data/data/com.termux/files/usr' },
    'termux',
    '/data/data/com.termux/files/home/.termux/boot/mobilepool-agent',
  ],
])('on %j it is installed as %s', (machine, kind, file) => {
  expect(usualKind(machine)).toBe(kind)
  expect(serviceFile(usualKind(machine), machine)).toBe(file)
})

test('systemd is told of the right unit, Termux has nobody to be told', () => {
  expect(systemdCommands('systemd', 'start').join(' ')).toBe('systemctl enable --now mobilepool-agent.service')
  expect(systemdCommands('systemd-user', 'stop').join(' ')).toBe('systemctl --user disable --now mobilepool-agent.service')
  expect(systemdCommands('termux', 'start')).toEqual([])
})
