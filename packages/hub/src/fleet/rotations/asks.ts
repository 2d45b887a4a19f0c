import type { RotationMethod, RotationTrigger } from '@mobilepool/sdk/contract'
import type { Refusal } from '../../errors.ts'
import type { RotationRecord, Store } from '../../store/index.ts'
import { type Device, exitOf } from '../device.ts'
import type { Fleet } from '../fleet.ts'
import type { Ledger } from './ledger.ts'
import { refuseRotation } from './refusal.ts'

/** What is asked for. */
export interface RotationWish {
  trigger: RotationTrigger
  method?: RotationMethod | undefined
  comment?: string | undefined
  /** `24h`: rotate again while the new exit IP was seen within this time. @default the device's `rotation_unique` */
  unique?: string | undefined
  /** How often it is tried. @default the device's `rotation_attempts`, or the hub's */
  attempts?: number | undefined
  /** Shared by the rotations of one "rotate all". */
  batchId?: string | undefined
}

export interface AskParts {
  fleet: Pick<Fleet, 'find'>
  store: Pick<Store, 'rotations'>
  ledger: Ledger
  now: () => number
  newId: () => string
  minIntervalMs: number
  /** Of one rotation, where the device has no `rotation_attempts`. */
  attempts: number
}

interface Asked {
  device: Device
  rotation: RotationRecord
}

/**
 * Asks for a rotation of each device, in one write. Answers in the order of the devices: the rotation that waits now, or why there is none.
 * @throws HubError `database_down`
 */
export async function askForRotations(
  devices: readonly Device[],
  wish: RotationWish,
  parts: AskParts,
): Promise<(RotationRecord | Refusal)[]> {
  const asked = devices.map((device) => ({ device, answer: take(device, wish, parts) }))
  const created = await write(
    asked.flatMap(({ device, answer }) => ('code' in answer ? [] : [{ device, rotation: answer }])),
    parts,
  )
  return asked.map(({ device, answer }) => {
    if ('code' in answer || created.has(answer.id)) return answer
    return parts.fleet.find(device.id) === device
      ? { code: 'rotation_running', detail: `${device.name} has a rotation under way, asked for at another hub.` }
      : { code: 'not_found', detail: `${device.name} was removed meanwhile.` }
  })
}

/** Takes the device for a rotation that is not written yet, so that a second request does not slip in meanwhile. */
function take(device: Device, wish: RotationWish, { now, newId, minIntervalMs, attempts }: AskParts): RotationRecord | Refusal {
  const at = now()
  const refusal = refuseRotation(device, wish.method ?? null, at, minIntervalMs)
  if (refusal) return refusal
  device.rotation = {
    id: newId(),
    deviceId: device.id,
    deviceName: device.name,
    trigger: wish.trigger,
    requestedMethod: wish.method ?? null,
    method: null,
    state: 'queued',
    oldIp: exitOf(device)?.current ?? null,
    newIp: null,
    reason: null,
    detail: null,
    comment: wish.comment ?? null,
    attempt: 0,
    maxAttempts: wish.attempts ?? device.rotationAttempts ?? attempts,
    notBefore: null,
    uniqueWithin: wish.unique ?? device.rotationUnique,
    batchId: wish.batchId ?? null,
    createdAt: at,
    startedAt: null,
    deadlineAt: null,
    endedAt: null,
  }
  return device.rotation
}

/** Writes new rotations; those that another hub or a removal was faster than are let go. Returns the ids of the others. */
async function write(asked: readonly Asked[], { fleet, store, ledger }: AskParts): Promise<ReadonlySet<string>> {
  if (asked.length === 0) return new Set()
  const isStillHeld = ({ device, rotation }: Asked): boolean => device.rotation?.id === rotation.id
  const writing = store.rotations.create(asked.map(({ rotation }) => rotation)).catch((error: unknown) => {
    // The row of a device that was removed meanwhile cannot be written, and the others of its statement were not either.
    const left = asked.filter(({ device }) => fleet.find(device.id) === device)
    if (left.length === asked.length) throw error
    return store.rotations.create(left.map(({ rotation }) => rotation))
  })
  // Whoever cancels one of them comes after its row is there: an end written before the beginning would be lost.
  for (const { rotation } of asked) ledger.background(ledger.inTurn(rotation.id, () => writing.catch(() => {})))
  const created = await writing.catch((error: unknown) => {
    for (const one of asked) if (isStillHeld(one)) one.device.rotation = null
    throw error
  })
  for (const one of asked) {
    if (!isStillHeld(one)) continue
    if (created.has(one.rotation.id)) ledger.accept(one.device, one.rotation)
    else one.device.rotation = null
  }
  return created
}
