import { useEffect, useReducer, useState } from 'react'
import type { SessionEvent } from '../../features/sessions/schema.ts'
import { useApi, useRefresh } from './hooks.ts'
import { followSession, type StreamState } from './stream.ts'
import { settled, type Writing, written } from './writing.ts'

/** What changed on the page when an event of this kind came; text and iterations change nothing else. */
const refreshed = /^(execution|node_loop_(started|completed)|approval|report|session|client_input)/
const refreshMs = 300

/** A session's events so far, live; the session, its steps, approvals and reports are read again as they change. */
export function useSessionEvents(sessionId: string) {
  const api = useApi()
  const refresh = useRefresh()
  const [events, append] = useReducer((all: SessionEvent[], more: readonly SessionEvent[]) => all.concat(more), [])
  const [writing, setWriting] = useState<readonly Writing[]>([])
  const [state, setState] = useState<StreamState>('connecting')
  const [refusal, setRefusal] = useState<unknown>(null)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const soon = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        void refresh(`/v1/sessions/${sessionId}`, '/v1/runs/', '/v1/approvals', '/v1/reports')
      }, refreshMs)
    }
    const stop = followSession(api, sessionId, {
      onEvents(more) {
        append(more)
        setWriting((all) => settled(all, more))
        if (more.some(({ type }) => refreshed.test(type))) soon()
      },
      onTexts: (texts) => setWriting((all) => texts.reduce(written, all)),
      onState: setState,
      onRefused: setRefusal,
    })
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [api, refresh, sessionId])
  return { events, writing, state, refusal }
}
