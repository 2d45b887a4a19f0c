import { connectToHub, type HubPlace } from '../hub/hub-connector.ts'
import type { OpenDevice } from '../open-device.ts'
import { TunnelExits } from './exits.ts'
import { HubLine } from './hub-line.ts'
import { Tunnel } from './tunnel.ts'

/** What a device has of its tunnel. */
export interface OpenTunnel {
  readonly exits: TunnelExits
  /** Orders and reports, by the tunnel or past it. */
  readonly line: HubLine
  /** Connections to the hub that stand. */
  sessions(): number
  /** Cuts it, and dials anew as soon as there is a way. */
  renew(reason: string): void
  /** The hub sees the device under this address now. */
  seenAs(exitIp: string): void
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

/** Puts the tunnel of a device together; with `tunnel: false` it dials nothing, and orders are polled for. */
export function openTunnel(device: OpenDevice, deviceKey: string): OpenTunnel {
  const { config, clock, random, log, driver, egress, hub } = device
  const exits = new TunnelExits(egress)
  const line = new HubLine(hub, clock)
  const place = hubPlaceOf(config.hub)
  const { url } = place
  const tunnel = new Tunnel({
    clock,
    random,
    log,
    url,
    deviceKey,
    sessions: config.tunnelSessions ?? null,
    connect: (signal) => connectToHub(egress, place, signal),
    sourceAddress: () => driver.sourceAddress(),
    onConnect: (stream, authority) => void exits.serve(stream, authority),
    onControl: (stream) => {
      stream.respond({ ':status': 200 })
      line.attach(stream)
    },
  })
  return {
    exits,
    line,
    sessions: () => tunnel.sessions,
    renew: (reason) => tunnel.renew(reason),
    seenAs: (exitIp) => tunnel.seenAs(exitIp),
    run: (signal) => (config.tunnel ? tunnel.run(signal) : Promise.resolve()),
  }
}

/** Where the hub of a URL is dialled. */
export function hubPlaceOf(hub: string): HubPlace & { readonly url: string } {
  const url = hub.replace(/\/+$/, '')
  const { hostname, port, protocol } = new URL(url)
  const isTls = protocol === 'https:'
  return { url, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (isTls ? 443 : 80), isTls }
}
