import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** Built to dist/console, from where the API serves it. `vite src/console` serves it with changes, over a running API. */
export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  plugins: [react()],
  build: {
    outDir: '../../dist/console',
    emptyOutDir: true,
    // Scripts, styles and pictures are files of their own: the content policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2023',
  },
  server: {
    port: 5173,
    proxy: { '/v1': 'http://127.0.0.1:8787', '/console-config.json': 'http://127.0.0.1:8787' },
  },
})
