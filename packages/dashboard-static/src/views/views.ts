import { type Component, defineAsyncComponent } from 'vue'
import ViewFailed from './view-failed.vue'
import ViewLoading from './view-loading.vue'

/** A view beside the fleet, which is shown at every other path. */
interface View {
  /** What the path has to be; its named groups are the view's props. */
  readonly path: RegExp
  readonly component: Component
  /** Is it also shown to somebody whom the hub shows nothing? */
  readonly isOpen?: boolean
}

/** Its file is loaded when it is first shown. */
const later = (loader: () => Promise<{ default: Component }>): Component =>
  defineAsyncComponent({ loader, delay: 300, loadingComponent: ViewLoading, errorComponent: ViewFailed })

/** Every view with an address of its own (README: "Adding a view"). */
const views: readonly View[] = [
  { path: /^\/login$/, component: later(() => import('./login-view.vue')), isOpen: true },
  { path: /^\/statistics$/, component: later(() => import('./statistics-view.vue')) },
  { path: /^\/logs$/, component: later(() => import('./logs-view.vue')) },
  { path: /^\/alerts$/, component: later(() => import('./alerts-view.vue')) },
  { path: /^\/add$/, component: later(() => import('./add-view.vue')) },
  { path: /^\/configuration$/, component: later(() => import('./configuration-view.vue')) },
  { path: /^\/devices\/(?<name>[^/]+)$/, component: later(() => import('./device-view.vue')) },
]

/** The view of a path of the address, with its props; null: the fleet. */
export function findView(path: string): { component: Component; props: Record<string, string>; isOpen: boolean } | null {
  for (const { path: pattern, component, isOpen = false } of views) {
    const found = pattern.exec(path)
    if (found) return { component, isOpen, props: Object.fromEntries(Object.entries(found.groups ?? {}).map(decoded)) }
  }
  return null
}

function decoded([name, text]: [string, string]): [string, string] {
  try {
    return [name, decodeURIComponent(text)]
  } catch {
    return [name, text]
  }
}
