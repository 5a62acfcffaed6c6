import { Button } from '@mantine/core'
import { ErrorState, Notice } from '../parts/states.tsx'

/** The sign-in is over: after long rest, or ended elsewhere. Nothing that was read stays on the page. */
export function Ended({ onSignIn }: { readonly onSignIn: () => void }) {
  return (
    <Notice title="Your sign-in has ended" action={<Button onClick={onSignIn}>Sign in again</Button>}>
      You were away for a while, or you signed out somewhere else. Sign in again to go on where you were.
    </Notice>
  )
}

/** Said after signing out. */
export function SignedOut({ onSignIn }: { readonly onSignIn: () => void }) {
  return (
    <Notice title="You are signed out" action={<Button onClick={onSignIn}>Sign in</Button>}>
      Nothing of your work is left in this browser.
    </Notice>
  )
}

/** The sign-in did not come about. */
export function SignInFailed({ error, onSignIn }: { readonly error: unknown; readonly onSignIn: () => void }) {
  return (
    <Notice title="You could not be signed in" action={<Button onClick={onSignIn}>Sign in again</Button>}>
      <ErrorState error={error} />
    </Notice>
  )
}
