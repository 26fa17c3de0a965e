import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly scripts?: Record<string, string>;
}

const manifests = ['.', 'bench'];
const manifest = (folder: string) => JSON.parse(text(folder, 'package.json')) as Manifest;

describe('the project', () => {
  it.each(manifests)('%s installs exact versions, from whatever registry the user has', (folder) => {
    const { dependencies, devDependencies } = manifest(folder);
    for (const version of Object.values({ ...dependencies, ...devDependencies })) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    }
    expect(text(folder, 'package-lock.json')).not.toContain('"resolved"');
  });

  it('needs no CUDA download to be installed', () => {
    expect(text('.npmrc')).toMatch(/^ignore-scripts=true$/m);
  });

  it('says why each dependency is there, and no other', () => {
    const documented = [...text('docs/dependencies.md').matchAll(/^\| (.+?) \|/gm)]
      .flatMap(([, names = '']) => names.split(', '))
      .filter((name) => !/^(package|-+)$/.test(name));
    expect(documented.toSorted()).toEqual(Object.keys(manifest('.').dependencies).toSorted());
  });

  it('has a sentence for each folder of code', () => {
    const documented = text('docs/architecture.md');
    for (const folder of ['src', 'routes', 'engine']) {
      for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
        if (entry.isDirectory()) expect(documented).toContain(`\`${folder}/${entry.name}/\``);
      }
    }
    const named = [...documented.matchAll(/^\| `([\w./-]+)` \|/gm)].map(([, path = '']) => path);
    expect(named.length).toBeGreaterThan(10);
    for (const path of named) expect(existsSync(join(root, path)), path).toBe(true);
  });

  it('names only commands that there are', () => {
    const { scripts = {} } = manifest('.');
    for (const path of ['README.md', 'bench/README.md', 'docs/architecture.md', 'docs/steering.md']) {
      for (const [, name = ''] of text(path).matchAll(/npm run ([a-z:]+)/g)) expect(scripts).toHaveProperty([name]);
    }
  });
});
