import { svelte } from '@sveltejs/vite-plugin-svelte'
import { fileURLToPath } from 'node:url'
import { createServer, type Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const alias = { $styles: at('../../../styles'), $messages: at('../../model/messages') }

/** Names that the server's HTML pages rely on; everything else carries its hash. */
const FIXED = 'page-map'

/** The map's look for other programs, which the server reads: see src/style/template.ts. */
const styleTemplate: Plugin = {
  name: 'style-template',
  apply: 'build',
  async generateBundle() {
    const server = await createServer({ configFile: false, root: at('.'), resolve: { alias }, server: { middlewareMode: true, hmr: false, watch: null }, appType: 'custom', logLevel: 'error' })
    const { template } = (await server.ssrLoadModule('/src/style/template.ts')) as typeof import('./src/style/template')
    await server.close()
    this.emitFile({ type: 'asset', fileName: 'style-template.json', source: JSON.stringify(template()) })
  },
}

export default defineConfig({
  base: '/app/',
  plugins: [svelte(), styleTemplate],
  resolve: { alias },
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
