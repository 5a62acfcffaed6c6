import {
  keepPreviousData,
  QueryClient,
  type UseMutationResult,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import { createContext, useCallback, useContext } from 'react'
import type { Api } from './client.ts'
import { isPassing } from './problem.ts'
import type { Page, Resource } from './resources.ts'

export const ApiContext = createContext<Api | null>(null)

/** The API as the person in the chosen organization. */
export function useApi(): Api {
  const api = useContext(ApiContext)
  if (!api) throw new Error('no API above this component')
  return api
}

/** A cache of its own for each organization, so that leaving one leaves nothing of it. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) => failures < 2 && isPassing(error),
        retryDelay: (failures) => 500 * 2 ** failures,
        staleTime: 5_000,
      },
    },
  })
}

interface ReadOptions {
  readonly enabled?: boolean
  /** Asks again after so many milliseconds while the page is looked at. */
  readonly everyMs?: number | false
}

/** Reads a resource, cached by its address. */
export function useResource<T>(resource: Resource<T>, { enabled = true, everyMs = false }: ReadOptions = {}) {
  const api = useApi()
  return useQuery({
    queryKey: [resource.path, resource.query ?? {}],
    queryFn: ({ signal }) => api.get<T>(resource.path, resource.query, signal),
    enabled,
    refetchInterval: everyMs,
    placeholderData: keepPreviousDataOf(resource),
  })
}

/** While only the filter changes, what was shown stays; another object's page never shows the one before. */
function keepPreviousDataOf({ query }: Resource<unknown>): typeof keepPreviousData | undefined {
  return query ? keepPreviousData : undefined
}

/** Reads a list page by page. */
export function usePages<T>(resource: Resource<Page<T>>, { enabled = true, everyMs = false }: ReadOptions = {}) {
  const api = useApi()
  const pages = useInfiniteQuery({
    queryKey: [resource.path, resource.query ?? {}, 'pages'],
    queryFn: ({ pageParam, signal }) =>
      api.get<Page<T>>(
        resource.path,
        { limit: 50, ...resource.query, ...(pageParam ? { cursor: pageParam } : {}) },
        signal,
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.nextCursor,
    enabled,
    // Somebody who reads back into the past is not disturbed.
    refetchInterval: ({ state }) => (state.data && state.data.pages.length > 1 ? false : everyMs),
  })
  return { ...pages, items: pages.data?.pages.flatMap((page) => page.items) ?? [] }
}

/** Marks everything below these addresses as old, so that what is on the page is read again. */
export function useRefresh(): (...prefixes: readonly string[]) => Promise<void> {
  const client = useQueryClient()
  return useCallback(
    (...prefixes) =>
      client.invalidateQueries({
        predicate: ({ queryKey: [path] }) => prefixes.some((prefix) => String(path).startsWith(prefix)),
      }),
    [client],
  )
}

/** Something the person does; afterwards everything below `changes` is read again. */
export function useDeed<Input, Output>(
  act: (api: Api, input: Input) => Promise<Output>,
  changes: readonly string[],
): UseMutationResult<Output, Error, Input> {
  const api = useApi()
  const refresh = useRefresh()
  return useMutation({
    mutationFn: (input: Input) => act(api, input),
    onSuccess: () => refresh(...changes),
  })
}
