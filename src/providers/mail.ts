import type { Transporter } from 'nodemailer'

export interface Mail {
  /** Unique and the same at each attempt, so that a mailbox can tell a repeated one. */
  readonly id: string
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** Hands a mail to the server that the operator named. Throws what that server or the network said. */
export type SendMail = (mail: Mail) => Promise<void>

const timeoutMs = 10_000

/** `url`: smtp:// or smtps://, with name and password where the server asks for them. */
export function createMailer({ url, from }: { readonly url: string; readonly from: string }): SendMail {
  let transport: Promise<Transporter> | undefined
  const open = async () => {
    const { createTransport } = await import('nodemailer')
    const limits = { connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs }
    return createTransport({ url, ...limits, disableFileAccess: true, disableUrlAccess: true })
  }
  return async ({ id, to, subject, text }) => {
    transport ??= open()
    const line = subject.replaceAll(/\p{Cc}+/gu, ' ')
    // As an object, so that no address is read as several.
    await (await transport).sendMail({
      messageId: `<${id}@enginex>`,
      from,
      to: { name: '', address: to },
      subject: line,
      text,
      headers: { 'Auto-Submitted': 'auto-generated' },
    })
  }
}
