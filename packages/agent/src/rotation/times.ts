/** How long the parts of a rotation may take (reference: device-control.md section 7). */
export const rotationTimes = {
  /** One call to the device: the slowest ordinary one, adb. */
  deviceCallMs: 10_000,
  /** From "on" to registered with a data session. */
  onlineMs: 45_000,
  /** One question for the exit IP. */
  probeMs: 5_000,
  probeTries: 6,
  /** Between two such questions. */
  probePauseMs: 1_000,
  /** A report that only informs, before the device goes down. */
  progressMs: 1_500,
  /** Switching on again must succeed: tried this often ... */
  upTries: 5,
  /** ... with this pause. */
  upPauseMs: 1_000,
  /** Assumed for coming online and verifying, until the device has shown how long it takes. */
  verifyMs: 5_000,
} as const
