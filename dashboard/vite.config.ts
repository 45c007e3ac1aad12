// How is the live page built? One HTML file, hashed scripts and styles, precompressed; nothing inline, nothing from elsewhere.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin, type UserConfig } from 'vite';

const root = fileURLToPath(new URL('.', import.meta.url));
const source = fileURLToPath(new URL('../src/', import.meta.url));
const built = fileURLToPath(new URL('../dist/dashboard/', import.meta.url));

/** Writes a `.br` and a `.gz` beside every text file of the build. */
function precompress(directory: string): Plugin {
  return {
    name: 'assay-precompress',
    apply: 'build',
    closeBundle() {
      for (const entry of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(html|js|css|svg)$/.test(entry)) continue;
        const path = join(directory, entry);
        const bytes = readFileSync(path);
        writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } }));
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
      }
    },
  };
}

const outDir = process.env.ASSAY_PAGE_OUT ?? built;

const config: UserConfig = defineConfig({
  root,
  logLevel: 'warn',
  plugins: [react(), precompress(outDir)],
  // The rooms of src/ have no effects of their own when they are imported: what the page does not use stays out of it.
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { treeshake: { moduleSideEffects: (id: string) => !id.startsWith(source) } },
  },
  server: { proxy: apiProxy() },
  preview: { proxy: apiProxy() },
});
export default config;

/** While the page is worked on (`npx vite dashboard`) a server elsewhere answers its questions: ASSAY_SERVER. */
function apiProxy(): NonNullable<NonNullable<UserConfig['server']>['proxy']> {
  const target = process.env.ASSAY_SERVER ?? 'http://127.0.0.1:8081';
  return {
    '/api': { target, changeOrigin: true, headers: { origin: target } },
  };
}
