import { z } from 'zod'

/** mmcli writes `--` where it knows nothing, and every scalar as text. */
const text = z.string().transform((value) => (value === '--' ? null : value))
const texts = z.array(z.string()).catch([])

/** `mmcli -L -J` */
export const modemList = z.object({ 'modem-list': z.array(z.string()) }).transform((reply) => reply['modem-list'])

const states = [
  'failed',
  'unknown',
  'initializing',
  'locked',
  'disabled',
  'disabling',
  'enabling',
  'enabled',
  'searching',
  'registered',
  'disconnecting',
  'connecting',
  'connected',
] as const

/** `mmcli -m N -J`, as far as it is read here. */
export const modemReply = z
  .object({
    modem: z.object({
      generic: z.object({
        state: z.enum(states).catch('unknown'),
        'state-failed-reason': text,
        'power-state': text,
        'signal-quality': z.object({ value: text, recent: text }),
        'access-technologies': texts,
        bearers: texts,
        sim: text,
        'unlock-required': text,
        'equipment-identifier': text,
        device: text,
      }),
      '3gpp': z.object({ 'operator-name': text, 'operator-code': text, 'registration-state': text }),
    }),
  })
  .transform(({ modem: { generic, '3gpp': network } }) => ({
    state: generic.state,
    failure: generic['state-failed-reason'],
    power: generic['power-state'],
    signal: generic['signal-quality'],
    technologies: generic['access-technologies'],
    bearers: generic.bearers,
    sim: generic.sim,
    unlock: generic['unlock-required'],
    imei: generic['equipment-identifier'],
    device: generic.device,
    operator: network['operator-name'] ?? network['operator-code'],
    operatorCode: network['operator-code'],
    registration: network['registration-state'],
  }))
export type ModemReply = z.output<typeof modemReply>

/** `mmcli -b N -J`, as far as it is read here. */
export const bearerReply = z
  .object({
    bearer: z.object({
      status: z.object({ connected: text, interface: text }),
      'ipv4-config': z.object({ address: text, prefix: text, gateway: text, dns: texts, mtu: text, method: text }),
    }),
  })
  .transform(({ bearer }) => ({
    isConnected: bearer.status.connected === 'yes',
    interface: bearer.status.interface,
    ipv4: bearer['ipv4-config'],
  }))
export type BearerReply = z.output<typeof bearerReply>
