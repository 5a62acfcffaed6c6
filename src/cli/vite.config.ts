import { defineConfig } from 'vite'

/** Built to dist/cli/enginex.js: one file with all that it needs, since Node strips no types under node_modules. */
export default defineConfig({
  root: import.meta.dirname,
  ssr: { noExternal: true, target: 'node' },
  build: {
    ssr: 'main.ts',
    outDir: '../../dist/cli',
    emptyOutDir: true,
    target: 'node20',
    rolldownOptions: { output: { entryFileNames: 'enginex.js', codeSplitting: false } },
  },
})
