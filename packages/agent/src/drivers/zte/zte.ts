import type { DriverParts } from '../create-driver.ts'
import { DeviceHttp } from '../device-http.ts'
import type { DeviceDriver } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { MobileInterface } from '../mobile-interface.ts'
import { stickGateway } from '../stick-options.ts'
import { type WebStick, WebStickDriver } from '../web-stick.ts'
import { Goform } from './goform.ts'
import { zteOptions } from './options.ts'
import { sessionOf, statusFields, statusOf } from './status.ts'

/** Opens a ZTE stick. Options: `options.ts`. Throws `bad_config`. */
export async function openZteDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  const { url, password, timeoutMs, holdsMs, ...interfaceOptions } = parseDriverOptions(zteOptions, options)
  const { origin, hostname } = new URL(url)
  const link = new MobileInterface({ gateway: stickGateway(hostname), ...interfaceOptions })
  const http = new DeviceHttp({ origin, timeoutMs, localAddress: () => link.address() })
  return new WebStickDriver(zteStick(new Goform(http, { origin, password })), { link, holdsMs }, parts)
}

const zteStick = (goform: Goform): WebStick => ({
  status: async (signal) => statusOf(await goform.read(statusFields, signal)),
  session: async (signal) => sessionOf(await goform.read(['ppp_status'], signal)),
  switchData: (isOn, signal) => goform.write(isOn ? 'CONNECT_NETWORK' : 'DISCONNECT_NETWORK', signal),
  reboot: (signal) => goform.write('REBOOT_DEVICE', signal),
})
