import { notifications } from '@mantine/notifications'
import { useCallback, useState } from 'react'
import { useApi } from '../api/hooks.ts'

/** Fetches a file with the token, then hands it to the browser under this name. */
export function useDownload() {
  const api = useApi()
  const [pending, setPending] = useState<string | null>(null)
  const download = useCallback(
    async (path: string, name: string) => {
      setPending(path)
      try {
        save(await api.download(path), name)
      } catch (error) {
        notifications.show({
          color: 'red',
          title: `${name} could not be downloaded`,
          message: (error as Error).message,
        })
      } finally {
        setPending(null)
      }
    },
    [api],
  )
  return { download, pending }
}

function save(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
