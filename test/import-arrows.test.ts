import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Who may import whom (docs/architecture.md). A unit may always import itself. */
const arrows: Record<string, readonly string[]> = {
  'engine/core': [],
  'engine/checkpoint': ['engine/core'],
  'engine/tokenizer': ['engine/core', 'engine/checkpoint'],
  'engine/steering': ['engine/core'],
  'engine/graph': ['engine/core', 'engine/checkpoint', 'engine/steering'],
  'engine/runtime': ['engine/core', 'engine/checkpoint', 'engine/steering', 'engine/graph'],
  'engine/scheduler': ['engine/core'],
  'engine/attribution': ['engine/core', 'engine/checkpoint', 'engine/graph', 'engine/runtime'],
  engine: [
    'engine/core',
    'engine/checkpoint',
    'engine/tokenizer',
    'engine/steering',
    'engine/graph',
    'engine/runtime',
    'engine/scheduler',
  ],
  'sae-registry': ['engine/core', 'engine/checkpoint'],
  routes: ['engine/core'],
  openapi: ['routes', 'engine/core'],
  src: ['*'],
  bench: ['*'],
  test: ['*'],
};
const nobodyImports = ['src', 'bench', 'test'];
/** Packages that only some units may know. */
const packageOwners: Record<string, readonly string[]> = {
  koffi: ['engine/runtime'],
  'onnxruntime-node': ['engine/runtime', 'sae-registry'],
  hono: ['routes', 'openapi', 'src'],
  '@hono/zod-openapi': ['routes', 'openapi', 'src'],
  '@hono/node-server': ['src'],
  '@huggingface/tokenizers': ['engine/tokenizer', 'sae-registry'],
  '@huggingface/jinja': ['engine/tokenizer'],
  commander: ['src'],
  pino: ['src'],
  'p-retry': ['src'],
  'prom-client': ['src'],
  yaml: ['sae-registry'],
  'better-sqlite3': ['sae-registry'],
  'drizzle-orm': ['sae-registry'],
};

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : sources(path);
    return entry.name.endsWith('.ts') ? [path.split(sep).join('/')] : [];
  });
}

function unitOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'engine' && second && !second.endsWith('.ts') ? `engine/${second}` : top;
}

/** Every module specifier of a source text: static, re-exported and dynamic imports. */
function specifiers(text: string): string[] {
  return [...text.matchAll(/(?:from\s+|import\s*\(\s*|import\s+)['"]([^'"]+)['"]/g)].map((match) => match[1] as string);
}

function violations(path: string, text: string): string[] {
  const unit = unitOf(path);
  const allowed = arrows[unit] ?? [];
  return specifiers(text).flatMap((specifier) => {
    if (specifier.startsWith('.')) {
      const target = unitOf(
        relative(root, resolve(root, dirname(path), specifier))
          .split(sep)
          .join('/'),
      );
      if (target === unit) return [];
      if (nobodyImports.includes(target) && !(unit === 'test' || unit === 'bench'))
        return [`${path} imports ${specifier}`];
      return allowed.includes('*') || allowed.includes(target) || target === 'package.json'
        ? []
        : [`${path} imports ${specifier}`];
    }
    const name = specifier.startsWith('@')
      ? specifier.split('/').slice(0, 2).join('/')
      : (specifier.split('/')[0] as string);
    const owners = packageOwners[name];
    return owners && unit !== 'test' && unit !== 'bench' && !owners.includes(unit) ? [`${path} imports ${name}`] : [];
  });
}

describe('import arrows', () => {
  const files = ['engine', 'sae-registry', 'routes', 'openapi', 'src', 'bench'].flatMap(sources);

  it('go one way only', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.flatMap((path) => violations(path, readFileSync(join(root, path), 'utf8')))).toEqual([]);
  });

  it('would be caught going the other way', () => {
    expect(violations('engine/scheduler/policy.ts', "import { x } from '../runtime/session.ts';")).toHaveLength(1);
    expect(violations('routes/openai/chat.ts', "export * from '../../engine/engine.ts';")).toHaveLength(1);
    expect(violations('engine/graph/onnx.ts', "import koffi from 'koffi';")).toHaveLength(1);
    expect(violations('sae-registry/index.ts', "await import('../src/config.ts');")).toHaveLength(1);
  });

  it('leaves process.env to src/config.ts', () => {
    const readers = files.filter((path) => /process\.env/.test(readFileSync(join(root, path), 'utf8')));
    expect(readers.filter((path) => path !== 'src/config.ts' && !path.startsWith('bench/'))).toEqual([]);
  });
});
