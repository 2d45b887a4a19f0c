import '@fontsource-variable/ibm-plex-sans'
import '@fontsource/ibm-plex-mono/latin-400.css'
import './style.css'
import { createApp } from 'vue'
import App from './app.vue'
import { createPage, pageKey } from './page.ts'

createApp(App).provide(pageKey, createPage()).mount('#page')
