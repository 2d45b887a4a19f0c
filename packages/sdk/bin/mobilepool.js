#!/usr/bin/env node
// npm links this file when it installs, before anything is built; dist/ comes with the published package or by `npm run build`.
import '../dist/cli.js'
