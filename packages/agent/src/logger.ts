import { type Logger, pino } from 'pino'

/** The agent's log: JSON lines on standard output, each with the device's name. Secrets are never given to it. */
export const createLogger = (level: string, device: string): Logger => pino({ level, base: { device } })
