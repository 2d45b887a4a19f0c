import { z } from 'zod'

const probability = z.number().min(0).max(1)
const ms = z.int().min(0).max(3_600_000)
const count = z.int().min(0).max(1_000_000)

/** An IPv4 loopback address: every one of 127.0.0.0/8 can be dialled from, without root and without set-up. */
const loopbackAddress = z.ipv4().regex(/^127\./, 'must be a loopback address, 127.x.y.z')

/**
 * The options of the `simulated` driver: what its modem, its carrier and its link do, and which faults they have.
 *
 * Of the fault knobs in device-control.md section 5, those about a wire protocol (`tokens`, `err100004Times`, `urcNoise`, `echo`) belong to
 * the protocol simulators of the real drivers; this simulator has no protocol.
 */
export const simulatorKnobs = z
  .strictObject({
    /** Seed of everything random; the same seed gives the same faults. */
    seed: z.int().min(0).max(0xffff_ffff).default(1),
    operator: z.string().min(1).max(100).default('SimTel'),
    /** First exit IP of the carrier's pool; the others follow it. */
    firstAddress: loopbackAddress.default('127.10.1.1'),
    /** Exit IPs in the pool. With 1, no rotation ever changes anything. */
    poolSize: z.int().min(1).max(200).default(8),
    /** A hold shorter than this gets the same address again. */
    changeAfterHoldMs: ms.default(300),
    /** The hold times to try, in order. */
    holdsMs: z.array(ms).min(1).max(10).default([400, 1_000, 2_500]),
    /** From radio on to online: fixed, or between two numbers. */
    attachDelayMs: z.union([ms, z.tuple([ms, ms])]).default([50, 200]),
    /** Chance that a rotation gets the same address again, however long the hold: a sticky carrier. */
    repeatProbability: probability.default(0),
    /** Chance that the device is not online again after a hold, until it is switched off and on once more. */
    stuckProbability: probability.default(0),
    /** So long after the first start the data session is lost, and stays so until the radio has been switched off and on. */
    loseSessionAfterMs: ms.optional(),
    /** The modem dials again by itself during the hold, so that the address never changes. */
    autoReconnectDuringHold: z.boolean().default(false),
    /** This many attaches are denied by the carrier before one succeeds. */
    denyRegistration: count.default(0),
    simMissing: z.boolean().default(false),
    /** The modem's web page asks for a password that nobody gave. */
    loginRequired: z.boolean().default(false),
    /** This many calls to the device get no answer. */
    timeoutTimes: count.default(0),
    /** After each "on" the device is away from its bus for this long: another port, another index. */
    reenumerate: ms.default(0),
    /** Each answer of the device comes this late. */
    lateReply: ms.default(0),
    /** adb says "offline": the phone cannot be controlled, its traffic flows. */
    offline: z.boolean().default(false),
    /** adb says "unauthorized". */
    unauthorized: z.boolean().default(false),
    batteryLow: z.boolean().default(false),
    /** The carrier's name servers, `address` or `address:port`; the system's when empty. */
    nameServers: z.array(z.string()).max(10).default([]),
    /** Traffic leaves by the host's own address, 127.0.0.1. */
    leak: z.boolean().default(false),
    /** Makes the *proxy* lie, for checks that must notice: see `sabotage.ts`. */
    sabotage: z.enum(['wrong-answers', 'lose-requests']).optional(),
    /** Share of the requests that are sabotaged. */
    sabotageProbability: probability.default(0.2),
  })
  .superRefine((knobs, context) => {
    const last = Number(knobs.firstAddress.split('.')[3]) + knobs.poolSize - 1
    if (last > 254)
      context.addIssue({ code: 'custom', path: ['poolSize'], message: `does not fit behind ${knobs.firstAddress}: addresses end at .254` })
    const delay = knobs.attachDelayMs
    if (Array.isArray(delay) && delay[0] > delay[1])
      context.addIssue({ code: 'custom', path: ['attachDelayMs'], message: 'begins with the smaller number' })
  })

export type SimulatorKnobs = z.output<typeof simulatorKnobs>
