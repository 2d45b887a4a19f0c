import type { Variable } from '../config-sources.ts'
import { number, seconds, text, yesNo } from './readers.ts'

/** Variables of `rotationOptions` and `outboundOptions`, in the order of the help. */
export const rotationVariables: readonly Variable[] = [
  {
    option: 'rotationMinIntervalMs',
    env: ['ROTATION_MIN_INTERVAL'],
    read: seconds,
    help: 'least seconds between two rotations of a device (60)',
  },
  {
    option: 'rotationMaxParallel',
    env: ['ROTATION_MAX_PARALLEL'],
    read: number,
    help: 'share of the fleet that may rotate at once, above 0 to 1 (0.25)',
  },
  {
    option: 'rotationTimeoutMs',
    env: ['ROTATION_TIMEOUT'],
    read: seconds,
    help: 'seconds after which an attempt to rotate has failed (60)',
  },
  {
    option: 'rotationDrainMs',
    env: ['ROTATION_DRAIN'],
    read: seconds,
    help: 'seconds that requests in flight may take before a rotation (3)',
  },
  { option: 'rotationAttempts', env: ['ROTATION_ATTEMPTS'], read: number, help: 'attempts of one rotation (3)' },
  { option: 'rotationRetryDelayMs', env: ['ROTATION_RETRY_DELAY'], read: seconds, help: 'seconds between two attempts (10)' },
  {
    option: 'rotationOfflineWaitMs',
    env: ['ROTATION_OFFLINE_WAIT'],
    read: seconds,
    help: 'seconds that a rotation waits for its device to come online (600)',
  },
  {
    option: 'rotationStartGraceMs',
    env: ['ROTATION_START_GRACE'],
    read: seconds,
    help: 'seconds after a start without interval rotations (180)',
  },
  { option: 'publicUrl', env: ['PUBLIC_URL'], read: text, help: 'where devices and people reach this hub, https://... (as it was asked)' },
  {
    option: 'exitIpUrl',
    env: ['EXIT_IP_URL'],
    read: text,
    help: 'an echo that tells the exit IP through a device’s proxy (this hub’s, where devices reach it)',
  },
  {
    option: 'outboundPrivate',
    env: ['OUTBOUND_PRIVATE'],
    read: yesNo,
    help: 'whether rotation URLs, webhooks and mail servers may lead to private addresses: true or false (true)',
  },
]
