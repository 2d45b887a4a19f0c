import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AgentError } from '../errors.ts'
import type { PowerOptions } from './options.ts'
import type { PowerSwitch } from './power-switch.ts'

/** Takes a device off the USB by the kernel's `authorized` file, named by its place: sticks of one make have the same vendor and product. */
export function usbReset({ device, sysfsRoot }: Extract<PowerOptions, { kind: 'usb-reset' }>): PowerSwitch {
  const path = join(sysfsRoot, 'bus/usb/devices', device, 'authorized')
  const set = async (value: '0' | '1'): Promise<void> => {
    try {
      // It must be there: a file that is made anew is no switch.
      await readFile(path)
      await writeFile(path, value, { flag: 'r+' })
    } catch (error) {
      throw failureOf(error as NodeJS.ErrnoException, device, path)
    }
  }
  return { off: () => set('0'), on: () => set('1') }
}

function failureOf(error: NodeJS.ErrnoException, device: string, path: string): AgentError {
  if (error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS')
    return new AgentError('permission_denied', `This user may not write ${path}: run the agent as root.`, { cause: error })
  if (error.code === 'ENOENT') {
    return new AgentError('device_unreachable', `There is nothing at place ${device} of the USB (${path}).`, { cause: error })
  }
  return new AgentError('device_unreachable', `${path} cannot be written (${error.code}).`, { cause: error })
}
