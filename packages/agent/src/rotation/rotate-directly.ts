import type { OpenDevice } from '../open-device.ts'
import { TrafficGate } from '../traffic-gate.ts'
import { Rotator } from './rotator.ts'

const noTraffic = { refuse: () => {}, accept: () => {}, drained: async () => {}, destroyConnections: () => 0 }

/** Rotations of a device whose agent is not running: nothing goes through it, and the hub is only asked for the exit IP. */
export function directRotator({ clock, log, driver, egress, hub, config }: OpenDevice): Rotator {
  return new Rotator({
    clock,
    log,
    driver,
    traffic: noTraffic,
    gate: new TrafficGate(noTraffic, [...driver.hostAddresses, ...config.hostAddresses]),
    egress,
    hub,
    journal: null,
    cutHub: () => hub.reset(),
    onEnd: () => {},
  })
}
