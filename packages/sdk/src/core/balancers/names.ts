/** The balancers by their public names. */
export type BalancerName = 'least-connections' | 'round-robin' | 'random' | 'weighted' | 'ip-hash'
