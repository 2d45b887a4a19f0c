import '@fontsource-variable/ibm-plex-sans'
import '@fontsource/ibm-plex-mono/latin-400.css'
import './style.css'
import { createApp } from 'vue'
import App from './app.vue'
import { createPage, pageKey } from './page.ts'

const page = createPage()
// Not in English first and then in another language; English where the other cannot be had.
await page.language.ready
createApp(App).provide(pageKey, page).mount('#page')
