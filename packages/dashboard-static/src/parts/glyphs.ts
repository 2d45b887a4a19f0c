/** The page's own signs on a 16 × 16 grid, drawn in lines; those in `solid` are filled instead. */
export const glyphs = {
  online: 'M8 3.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6z',
  busy: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2M8 6.6a1.4 1.4 0 1 0 0 2.8 1.4 1.4 0 0 0 0-2.8',
  rotating: 'M13.2 7A5.4 5.4 0 0 0 3.4 5.2M2.8 9a5.4 5.4 0 0 0 9.8 1.8M3.2 2.4v3h3M12.8 13.6v-3h-3',
  offline: 'M4 4l8 8M12 4l-8 8',
  maintenance: 'M5.5 3.5v9M10.5 3.5v9',
  pending: 'M8 2.6v1.8M8 11.6v1.8M2.6 8h1.8M11.6 8h1.8M4.2 4.2l1.2 1.2M10.6 10.6l1.2 1.2M4.2 11.8l1.2-1.2M10.6 5.4l1.2-1.2',
  unknown: 'M5.8 6.1a2.3 2.3 0 1 1 3.3 2.1C8.3 8.6 8 9 8 9.9M8 12.6v.1',
  changed: 'M3.4 8.4l3 3 6.2-6.8',
  unchanged: 'M3.6 6h8.8M3.6 10h8.8',
  failed: 'M4 4l8 8M12 4l-8 8',
  copy: 'M6 5.6h7v7.8H6zM3.4 10.6v-8h7',
  search: 'M7 11.8a4.8 4.8 0 1 0 0-9.6 4.8 4.8 0 0 0 0 9.6zM10.6 10.6l3 3',
  light:
    'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.6v1.2M8 13.2v1.2M1.6 8h1.2M13.2 8h1.2M3.5 3.5l.8.8M11.7 11.7l.8.8M3.5 12.5l.8-.8M11.7 4.3l.8-.8',
  dark: 'M13 9.6A5.6 5.6 0 0 1 6.4 3 5.4 5.4 0 1 0 13 9.6z',
  auto: 'M8 2.4a5.6 5.6 0 1 0 0 11.2A5.6 5.6 0 0 0 8 2.4M8 2.4v11.2M10 4.6v6.8M11.9 6.2v3.6',
  key: 'M10.4 2.4a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4M8 7.9l-5.4 5.5M4.4 11.6l1.8 1.8',
} as const

export type Glyph = keyof typeof glyphs

export const solid: ReadonlySet<Glyph> = new Set(['online'])
