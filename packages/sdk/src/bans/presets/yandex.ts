import type { BanRule } from '../ban-rule.ts'

/**
 * Yandex's own sites and SmartCaptcha in front of others': 302 to `/showcaptcha?...` (before 2021 `/captcha/...`), with the header
 * `x-yandex-captcha: captcha` (github.com/searxng/searxng/pull/5417); the page holds `<form ... action="/checkcaptcha?...">`.
 * A site's own form with the SmartCaptcha widget loads `smartcaptcha.yandexcloud.net/captcha.js`: no sign.
 */
export const yandex: readonly BanRule[] = [
  { name: 'yandex: captcha', headers: { 'x-yandex-captcha': /^captcha$/i } },
  { name: 'yandex: captcha redirect', location: /^(?:https?:\/\/[^/]{1,100})?\/(?:x)?showcaptcha(?:fast)?\?/ },
  { name: 'yandex: captcha page', body: /<form[^>]{0,500}action="\/checkcaptcha(?:fast)?\?/ },
]
