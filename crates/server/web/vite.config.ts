import { svelte } from '@sveltejs/vite-plugin-svelte'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Names that the server's HTML pages rely on; everything else carries its hash. */
const FIXED = 'page-map'

export default defineConfig({
  base: '/app/',
  plugins: [svelte()],
  resolve: {
    alias: { $styles: at('../../../styles'), $messages: at('../../model/messages') },
  },
  build: {
    target: 'es2022',
    sourcemap: false,
    // The map engine alone is about 1 MB; it is one chunk on purpose, shared by both entries.
    chunkSizeWarningLimit: 1400,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { index: at('index.html'), [FIXED]: at('src/page-map.ts') },
      output: {
        entryFileNames: (chunk) => (chunk.name === FIXED ? '[name].js' : 'assets/[name]-[hash].js'),
        assetFileNames: (asset) => (asset.names.includes(`${FIXED}.css`) ? '[name][extname]' : 'assets/[name]-[hash][extname]'),
        chunkFileNames: 'assets/[name]-[hash].js',
        advancedChunks: { groups: [{ name: 'maplibre', test: /node_modules[\\/](?!svelte|esm-env|@fontsource)/ }] },
      },
    },
  },
  worker: { format: 'es' },
  server: { fs: { allow: [at('.'), at('../../../styles'), at('../../model/messages')] } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node', testTimeout: 20_000 },
})
