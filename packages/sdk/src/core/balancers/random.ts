import type { Device } from '../device.ts'
import type { Balancer } from './balancer.ts'

/** Misses after which the eligible devices are listed instead of guessed. */
const GUESSES = 4

/** Any eligible device, each with the same chance. */
export function randomChoice(random: () => number): Balancer {
  return {
    pick({ ready, isEligible }) {
      for (let guess = 0; guess < GUESSES; guess++) {
        const device = ready[Math.floor(random() * ready.length)]
        if (device !== undefined && isEligible(device)) return device
      }
      const eligible: Device[] = ready.filter(isEligible)
      return eligible[Math.floor(random() * eligible.length)]
    },
  }
}
