import { HoldBook } from '../holds/hold-book.ts'
import { holdPorts } from '../holds/hold-ports.ts'
import type { OpenDevice } from '../open-device.ts'
import { TrafficGate } from '../traffic-gate.ts'
import { Rotator } from './rotator.ts'

const noTraffic = { refuse: () => {}, accept: () => {}, drained: async () => {}, destroyConnections: () => 0 }

/** Rotations of a device whose agent is not running: nothing goes through it, and the hub is only asked for the exit IP. */
export async function directRotator(device: OpenDevice): Promise<Rotator> {
  const { clock, log, dir, driver, egress, hub, config } = device
  const book = await HoldBook.open(dir, config.driver)
  return new Rotator({
    clock,
    log,
    driver,
    traffic: noTraffic,
    gate: new TrafficGate(noTraffic, [...driver.hostAddresses, ...config.hostAddresses]),
    egress,
    hub,
    holds: holdPorts(device, book, new Set()),
    journal: null,
    cutHub: () => hub.reset(),
    onEnd: () => {},
  })
}
