import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import './styles.css'
import { MantineProvider } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import { type ReactNode, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { pathTo } from './paths.ts'
import { leaveToSignIn, requestGrant, type SignInSettings, scopeFor } from './sign-in/keycloak.ts'
import { SignedOut, SignInFailed } from './sign-in/pages.tsx'
import { createSignIn } from './sign-in/sign-in.ts'
import { resolveVariables, theme } from './theme.ts'

const root = createRoot(document.getElementById('root')!)

function show(page: ReactNode): void {
  root.render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={resolveVariables} defaultColorScheme="auto">
        <Notifications position="top-right" />
        {page}
      </MantineProvider>
    </StrictMode>,
  )
}

/** Signs in without leaving the page where that is possible, else through Keycloak, and back to the same address. */
async function start(): Promise<void> {
  const settings = await readSettings()
  const signInAgain = () => void leaveToSignIn(settings)
  if (location.pathname === pathTo('signedOut', {}))
    return show(<SignedOut onSignIn={() => location.assign(pathTo('start', {}))} />)
  try {
    const returned = /[#&]state=/.test(location.hash)
    const grant = await requestGrant(settings, scopeFor(null))
    if (grant) return show(<App signIn={createSignIn(settings, grant)} />)
    if (returned) throw new Error('the sign-in was not completed')
    await leaveToSignIn(settings)
  } catch (error) {
    show(<SignInFailed error={asError(error)} onSignIn={signInAgain} />)
  }
}

async function readSettings(): Promise<SignInSettings> {
  const answer = await fetch('/console-config.json')
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`)
  return (await answer.json()) as SignInSettings
}

/** keycloak-js throws what Keycloak said as it is. */
function asError(error: unknown): Error {
  if (error instanceof Error) return error
  const { error: code, error_description: text } = (error ?? {}) as { error?: string; error_description?: string }
  return new Error(text ?? code ?? 'the sign-in service refused')
}

start().catch((error) => show(<SignInFailed error={error} onSignIn={() => location.reload()} />))
