import type { Device } from '../device.ts'
import type { Balancer } from './balancer.ts'

/** Misses after which the eligible devices are listed instead of guessed. In a fleet of which half is eligible one pick in 250 gets there. */
const GUESSES = 8

/** Any eligible device, each with the same chance. */
export function randomChoice(random: () => number): Balancer {
  return {
    pick(candidates) {
      const { open } = candidates
      for (let guess = 0; guess < GUESSES; guess++) {
        const device = open[Math.floor(random() * open.length)]
        if (device !== undefined && candidates.isEligible(device)) return device
      }
      const eligible: Device[] = open.filter((device) => candidates.isEligible(device))
      return eligible[Math.floor(random() * eligible.length)]
    },
  }
}
