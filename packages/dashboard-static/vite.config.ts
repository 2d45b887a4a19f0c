import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vite'

/**
 * The built page carries its own content security policy, so that it is strict on any static host. `connect-src` stays open because the
 * hub may be at any address (`?hub=`, config.json); a hub that serves the page narrows it with a header of its own.
 * Trusted types: Vue alone may write markup, so that no text of a hub can become any.
 * Not in development: the dev server injects inline styles.
 */
const policy = [
  "default-src 'self'",
  'connect-src http: https:',
  "base-uri 'none'",
  "form-action 'none'",
  "object-src 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types vue',
].join('; ')

const strictPolicy: Plugin = {
  name: 'mobilepool:strict-policy',
  apply: 'build',
  transformIndexHtml: () => [
    { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: policy }, injectTo: 'head-prepend' },
  ],
}

/** A hub on this machine, for `npm run dev`. */
const hub = 'http://127.0.0.1:3001'

export default defineConfig({
  // Relative addresses: the folder works under any path of any static host.
  base: './',
  // Vite alone minifies the styles, for the browsers named below: Tailwind's own pass would rewrite light-dark() for older ones.
  plugins: [vue({ features: { optionsAPI: false } }), tailwindcss({ optimize: false }), strictPolicy],
  server: { proxy: { '/status': hub, '/api': hub } },
  build: {
    // The first that know light-dark(), all of spring 2024 or before.
    target: ['chrome123', 'edge123', 'firefox128', 'safari17.5'],
    // No data: URLs, which the policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What is bundled wants its licence beside it, the typefaces' too.
    license: { fileName: 'licenses.md' },
  },
})
