import { type SettingJson, settingList, settingUpdate } from '@mobilepool/sdk/contract'
import type { Setting } from '../config/settings.ts'
import { refused } from '../errors.ts'
import { needs } from './access.ts'
import { noteForAudit } from './audit-hook.ts'
import type { Routes } from './context.ts'
import { problemReplies } from './problem.ts'

/** `/api/v1/config`: the hub's settings, and those of them that admins keep in the database. */
export const configRoutes: Routes = (context) => (app, _options, done) => {
  const { settings } = context
  const onRequest = needs(context, 'admin')
  const tags = ['config']
  const list = async () => ({ settings: (await settings.list()).map(settingJson) })

  app.get(
    '/api/v1/config',
    {
      onRequest,
      schema: {
        summary: 'All settings, where each comes from and when a change counts',
        tags,
        response: { 200: settingList, ...problemReplies },
      },
    },
    list,
  )
  app.patch(
    '/api/v1/config',
    {
      onRequest,
      schema: {
        summary: 'Keep settings in the database, all or none',
        tags,
        body: settingUpdate,
        response: { 200: settingList, ...problemReplies },
      },
    },
    async (request) => {
      const changes = new Map(Object.entries(request.body.settings))
      noteForAudit(request, { subject: [...changes.keys()].join(' ') })
      const refusal = await settings.change(changes)
      if (refusal) throw refused(refusal)
      return list()
    },
  )
  done()
}

const settingJson = ({ name, help, value, default: fallback, source, takesEffect, pending }: Setting): SettingJson => ({
  name,
  help,
  value,
  default: fallback,
  source,
  takes_effect: takesEffect,
  ...(pending === undefined ? {} : { pending }),
})
