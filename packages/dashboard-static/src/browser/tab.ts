import lost from './icons/lost.svg'
import silent from './icons/silent.svg'
import waiting from './icons/waiting.svg'
import well from './icons/well.svg'

const icons = { well, silent, lost, waiting }

/** Puts the fleet's state where a glance at the row of tabs finds it: title and icon. */
export function showInTab(document: Document, title: string, icon: keyof typeof icons): void {
  document.title = title
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
  if (link && link.getAttribute('href') !== icons[icon]) link.href = icons[icon]
}
