import { expect, test } from 'vitest'
import { BanRules } from '../ban-rules.ts'
import { presets } from './index.ts'
import { type PresetName, presetNames } from './names.ts'

type Headers = Record<string, string>
const html: Headers = { 'content-type': 'text/html; charset=utf-8' }
const inspect = { bytes: 4_096, maxWaitMs: 100, contentTypes: ['text/html', 'application/json'] }

/** The rule of a preset that tells a response; undefined when none does. */
function told(name: PresetName, status: number, headers: Headers, body: string): string | undefined {
  const { match, bodyTest } = new BanRules(presets[name], inspect).judgeHead('GET', 'shop.com', status, headers)
  return (match ?? bodyTest?.match([Buffer.from(body)]) ?? undefined)?.rule
}

const walls: [PresetName, string, number, Headers, string][] = [
  ['cloudflare', 'cloudflare: challenge', 429, { ...html, server: 'cloudflare', 'cf-mitigated': 'challenge' }, ''],
  [
    'cloudflare',
    'cloudflare: challenge page',
    503,
    { ...html, server: 'cloudflare' },
    '<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title>',
  ],
  [
    'cloudflare',
    'cloudflare: blocked',
    403,
    { ...html, server: 'cloudflare' },
    '<head>\n<title>Attention Required! | Cloudflare</title>\n<meta charset="utf-8"/>',
  ],
  [
    'cloudflare',
    'cloudflare: blocked',
    403,
    { ...html, server: 'cloudflare' },
    '<title>Access denied | www.sotostore.com used Cloudflare to restrict access</title>',
  ],
  ['cloudflare', 'cloudflare: error of the client', 429, { 'content-type': 'text/html', server: 'cloudflare' }, 'error code: 1015'],
  ['datadome', 'datadome: blocked', 403, { 'content-type': 'application/json', 'x-dd-b': '1' }, ''],
  ['datadome', 'datadome: redirect', 302, { location: 'https://geo.captcha-delivery.com/captcha/?initialCid=x' }, ''],
  [
    'datadome',
    'datadome: captcha',
    200,
    html,
    `<html><head><title>shop.com</title></head><body><script>var dd={'rt':'c','cid':'AHrl','hsh':'49','host':'geo.captcha-delivery.com'}</script>`,
  ],
  [
    'datadome',
    'datadome: captcha',
    403,
    { 'content-type': 'application/json' },
    '{"url":"https://geo.captcha-delivery.com/interstitial/?initialCid=x"}',
  ],
  [
    'akamai',
    'akamai: access denied',
    403,
    { ...html, server: 'AkamaiGHost' },
    `<html><head>\n<title>Access Denied</title>\n</head><body>\n<h1>Access Denied</h1>\n \nYou don't have permission to access "http://docs.microsoft.com/x" on this server.<p>\nReference #18.ef3a2f17.1619133194.15bcf105\n</p></body>`,
  ],
  [
    'akamai',
    'akamai: access denied',
    200,
    html,
    `<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n \nYou don't have permission to access "http&#58;&#47;&#47;shop&#46;com&#47;" on this server.<P>\nReference&#32;&#35;18&#46;2f580317&#46;1772098100`.replace(
      '&#32;',
      ' ',
    ),
  ],
  ['akamai', 'akamai: challenge', 200, html, '<div id="sec-if-cpt-container" role="main">'],
  [
    'perimeterx',
    'perimeterx: blocked',
    403,
    html,
    '<meta name="description" content="px-captcha">\n<title>Access to this page has been denied</title>',
  ],
  [
    'perimeterx',
    'perimeterx: blocked (JSON)',
    403,
    { 'content-type': 'application/json' },
    '{"appId":"PX1","jsClientSrc":"/1/init.js","blockScript":"/1/captcha/captcha.js?a=c"}',
  ],
  [
    'imperva',
    'imperva: incident',
    200,
    html,
    '<html style="height:100%"><body><iframe id="main-iframe" src="/_Incapsula_Resource?SWUDNSAI=31&xinfo=x&incident_id=877000300-1" frameborder=0>Request unsuccessful. Incapsula incident ID: 877000300-1</iframe>',
  ],
  [
    'imperva',
    'imperva: challenge',
    200,
    html,
    '<html>\n<head>\n<META NAME="robots" CONTENT="noindex,nofollow">\n<script src="/_Incapsula_Resource?SWJIYLWA=5074a744">\n</script>\n<body></body></html>',
  ],
  ['imperva', 'imperva: interruption', 405, html, '<title>Pardon Our Interruption</title>'],
  ['aws-waf', 'aws-waf: challenge', 202, { ...html, 'x-amzn-waf-action': 'challenge' }, ''],
  ['aws-waf', 'aws-waf: captcha', 405, { ...html, 'x-amzn-waf-action': 'captcha' }, ''],
  ['google', 'google: sorry redirect', 302, { location: 'https://www.google.com/sorry/index?continue=https://www.google.com/search' }, ''],
  [
    'google',
    'google: sorry page',
    429,
    html,
    '<body style="x"><form id="captcha-form" action="index" method="post"><div class="g-recaptcha">',
  ],
  ['kasada', 'kasada: refused', 429, { ...html, 'x-kpsdk-ct': '0c2' }, ''],
  [
    'kasada',
    'kasada: challenge page',
    429,
    html,
    '<html><body><script>window.KPSDK={};KPSDK.now=Date.now</script><script src="/149e/ips.js?x=1">',
  ],
  [
    'f5',
    'f5: request rejected',
    200,
    html,
    '<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your administrator.<br/><br/>Your support ID is: 15549882842558379424',
  ],
  [
    'f5',
    'f5: request rejected',
    200,
    html,
    '<html><head><title>Request Rejected</title></head><body>http://www.kotak.com/4O4.htm.<br/><br/>Your support ID is: 17210456373490041179',
  ],
  ['ddos-guard', 'ddos-guard: check', 403, { ...html, server: 'ddos-guard' }, '<!DOCTYPE html>\n<html><head><title>DDOS-GUARD</title>'],
  ['qrator', 'qrator: challenge', 401, { ...html, server: 'QRATOR' }, '<script src="/__qrator/qauth_utm_v2.js"></script>'],
  ['vercel', 'vercel: mitigated', 429, { ...html, 'x-vercel-mitigated': 'challenge' }, ''],
  ['yandex', 'yandex: captcha', 302, { 'x-yandex-captcha': 'captcha' }, ''],
  ['yandex', 'yandex: captcha redirect', 302, { location: 'https://yandex.ru/showcaptcha?cc=1&retpath=x' }, ''],
  ['yandex', 'yandex: captcha page', 200, html, '<form method="POST" action="/checkcaptcha?key=x" id="checkbox-captcha-form">'],
]

test.each(walls)('%s tells its wall: %s, status %i', (name, rule, status, headers, body) => {
  expect(told(name, status, headers, body)).toBe(rule)
})

test('every preset has a wall in this list, and rules with names of its own', () => {
  expect(new Set(walls.map(([name]) => name))).toEqual(new Set(presetNames))
  expect(new Set(walls.map(([, rule]) => rule)).size).toBeGreaterThan(20)
  for (const name of presetNames) for (const rule of presets[name]) expect(rule.name.startsWith(`${name}: `)).toBe(true)
})

const ordinary: [string, number, Headers, string][] = [
  [
    'behind Cloudflare, with its scripts',
    200,
    { ...html, server: 'cloudflare', 'cf-ray': '8a', 'set-cookie': '__cf_bm=x' },
    `<title>Shop</title><script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script><script>window.__CF$cv$params={}</script><script src="https://challenges.cloudflare.com/turnstile/v0/api.js"></script>`,
  ],
  [
    'about Cloudflare',
    200,
    { ...html, server: 'cloudflare' },
    '<title>How to pass "Just a moment..." pages</title><p>error code: 1020, Attention Required! | Cloudflare',
  ],
  ['not found behind Cloudflare', 404, { ...html, server: 'cloudflare' }, '<title>Not found</title><span>1020</span> items'],
  ['of an origin that is down', 522, { ...html, server: 'cloudflare' }, '<title>shop.com | 522: Connection timed out</title>'],
  [
    'protected by DataDome',
    200,
    { ...html, 'x-datadome': 'protected', 'set-cookie': 'datadome=x' },
    '<title>Shop</title><script>window.ddjskey="1"</script><script src="https://js.datadome.co/tags.js"></script>',
  ],
  [
    'protected by Akamai',
    200,
    { ...html, 'set-cookie': '_abck=x; bm_sz=y' },
    `<title>Shop</title><script src="/akam/13/pixel"></script><p>Reference #18.2 of the order`,
  ],
  [
    'of Apache that denies',
    200,
    html,
    `<title>403 Forbidden</title><h1>Forbidden</h1><p>You don't have permission to access /x on this server.</p>`,
  ],
  [
    'protected by HUMAN',
    200,
    { ...html, 'set-cookie': '_pxhd=x' },
    `<title>Shop</title><script>window._pxAppId='PX1';s.src='/1/init.js'</script>`,
  ],
  [
    'protected by Imperva',
    200,
    { ...html, 'x-iinfo': '1-2', 'x-cdn': 'Imperva' },
    '<html><head><title>Shop</title><meta name="robots" content="index"></head><body>goods<script src="/_Incapsula_Resource?SWJIYLWA=1"></script>',
  ],
  [
    'with the script of AWS WAF',
    200,
    html,
    '<title>Shop</title><script src="https://1.edge.sdk.awswaf.com/1/challenge.js" defer></script>',
  ],
  ['let through by Kasada', 200, { ...html, 'x-kpsdk-ct': '0c2' }, '<title>Homes</title><script src="/149e/p.js"></script>'],
  [
    'with a reCAPTCHA on its form',
    200,
    html,
    '<title>Contact</title><form action="/send"><div class="g-recaptcha"></div></form><script src="https://www.google.com/recaptcha/api.js">',
  ],
  [
    'that quotes Google',
    200,
    html,
    '<p>"Our systems have detected unusual traffic from your computer network": what to do when Google says so',
  ],
  [
    'with a SmartCaptcha on its form',
    200,
    html,
    '<div class="smart-captcha"></div><script src="https://smartcaptcha.yandexcloud.net/captcha.js">',
  ],
  ['behind DDoS-Guard', 200, { ...html, server: 'ddos-guard', 'set-cookie': '__ddg1_=x' }, '<title>Forum</title>'],
  ['behind Qrator', 200, { ...html, server: 'QRATOR' }, '<title>Bank</title>'],
  ['on Vercel', 200, { ...html, server: 'Vercel', 'x-vercel-id': 'icn1' }, '<title>App</title>'],
  ['that rejects a form', 200, html, '<title>Request rejected</title><p>Your request for leave was rejected. Ask your administrator.'],
  ['that redirects', 302, { location: 'https://www.google.com/search?q=sorry' }, ''],
  ['that redirects to its own captcha help', 302, { location: '/help/showcaptcha' }, ''],
]

test.each(ordinary)('no preset takes a page %s for a wall', (_name, status, headers, body) => {
  for (const name of presetNames) expect([name, told(name, status, headers, body)]).toEqual([name, undefined])
})

test('no preset needs long, whatever a page holds', () => {
  const hostile = [
    '<title>Access Denied</title>',
    '<iframe src="',
    'var dd={',
    ' '.repeat(3),
    '<html><head>',
    '"url":"',
    '<title>Request Rejected</title>',
  ]
  for (const piece of hostile) {
    const body = Buffer.from(piece.repeat(Math.ceil(131_072 / piece.length)).slice(0, 131_072))
    for (const name of presetNames) {
      const before = performance.now()
      const { bodyTest } = new BanRules(presets[name], { ...inspect, bytes: 131_072 }).judgeHead('GET', 'shop.com', 403, {
        ...html,
        server: name === 'ddos-guard' ? name : 'cloudflare',
      })
      bodyTest?.match([body])
      expect(performance.now() - before).toBeLessThan(2_000)
    }
  }
})
