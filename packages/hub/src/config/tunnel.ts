import { seconds, wholeNumber } from './fields.ts'

/** Tunnels that agents dial. */
export const tunnelOptions = {
  /** Between two pings of a session in use, and for the answer to each, ms; idle ones are pinged every fourth time. */
  tunnelPingMs: seconds(0.05, 60).default(5_000),
  /** Connections through one device at a time. */
  tunnelMaxStreams: wholeNumber(1, 10_000).default(2_000),
}
