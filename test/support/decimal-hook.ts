import { registerHooks } from 'node:module'

/** Lets plain Node import a package's tools: the sandbox's `enginex:decimal` is big.js, here as there. */
registerHooks({
  resolve: (specifier, context, nextResolve) =>
    specifier === 'enginex:decimal'
      ? nextResolve('big.js', { ...context, parentURL: import.meta.url })
      : nextResolve(specifier, context),
})
