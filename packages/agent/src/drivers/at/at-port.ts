import { StringDecoder } from 'node:string_decoder'
import type { SerialPort } from 'serialport'
import { AgentError } from '../../errors.ts'

/** No line of a modem is longer; what has no end is no line. */
const MAX_LINE = 4_096

export interface AtPortEvents {
  onLine(line: string): void
  /** Once: the modem is away, or the port was closed. Nothing comes after it. */
  onClose(): void
}

/** An open serial port that speaks in lines. */
export interface AtPort {
  /** Sends a command; a port that is closing loses it silently, as serial ports do. */
  send(command: string): void
  close(): Promise<void>
}

/**
 * Opens a serial port for this process alone. Throws `device_unreachable` when it is not there, `permission_denied`, `busy` when another
 * program has it, `unsupported` where no serial ports are.
 */
export async function openAtPort(path: string, baudRate: number, events: AtPortEvents): Promise<AtPort> {
  const { SerialPort: Port } = await loadSerialPort()
  const port = new Port({ path, baudRate, autoOpen: false })
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(notOpened(path, error)) : resolve())))
  const decoder = new StringDecoder('latin1')
  let rest = ''
  // Without a reader of `data` the hang-up of a modem is not noticed, and without one of `error` the next write ends the process.
  port.on('data', (chunk: Buffer) => {
    const parts = `${rest}${decoder.write(chunk)}`.split(/[\r\n]+/)
    rest = (parts.pop() ?? '').slice(-MAX_LINE)
    for (const line of parts.map((part) => part.trim())) if (line !== '') events.onLine(line)
  })
  port.on('error', () => port.close(() => {}))
  port.once('close', events.onClose)
  return {
    send(command) {
      if (port.isOpen) port.write(`${command}\r`)
    },
    close: () => new Promise((resolve) => (port.isOpen ? port.close(() => resolve()) : resolve())),
  }
}

/** Native code, which not every platform has: loaded when it is needed. */
async function loadSerialPort(): Promise<{ SerialPort: typeof SerialPort }> {
  try {
    return await import('serialport')
  } catch (cause) {
    throw new AgentError('unsupported', 'The package serialport is not installed or does not run here: npm install serialport.', { cause })
  }
}

function notOpened(path: string, cause: Error): AgentError {
  const { message } = cause
  if (/no such file|no such device|not found/i.test(message)) {
    return new AgentError('device_unreachable', `There is no port ${path}: is the modem connected and switched on?`, { cause })
  }
  if (/permission denied/i.test(message)) {
    return new AgentError('permission_denied', `This user may not open ${path}: add it to the group dialout and log in again.`, { cause })
  }
  if (/cannot lock port|busy/i.test(message)) {
    return new AgentError('busy', `Another program has ${path} open: ModemManager must leave it alone (udev: ID_MM_DEVICE_IGNORE=1).`, {
      cause,
    })
  }
  return new AgentError('device_unreachable', `${path} cannot be opened: ${message}`, { cause })
}
