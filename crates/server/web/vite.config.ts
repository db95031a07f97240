import { svelte } from '@sveltejs/vite-plugin-svelte'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createServer, type Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const alias = { $styles: at('../../../styles'), $messages: at('../../model/messages') }

/** Names that the server's HTML pages rely on; everything else carries its hash. */
const FIXED = 'page-map'

/** Texts of the editor, which go with it: a visitor does not load them. `web.json?editor` is these, `web.json?start` all others. */
const EDITOR_TEXTS = /^(edit|editing|form|conflict)\./
const messageParts: Plugin = {
  name: 'message-parts',
  enforce: 'pre',
  // A name of its own: as a file of JSON it would be read whole.
  resolveId: (id) => (/messages\/web\.json\?(start|editor)$/.test(id) ? `\0messages-${id.split('?')[1]}` : undefined),
  load(id) {
    if (!id.startsWith('\0messages-')) return undefined
    const file = `${alias.$messages}/web.json`
    this.addWatchFile(file)
    const all = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)
    return `export default ${JSON.stringify(Object.fromEntries(all.filter(([key]) => EDITOR_TEXTS.test(key) === id.endsWith('editor'))))}`
  },
}

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
  plugins: [messageParts, svelte(), styleTemplate],
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
