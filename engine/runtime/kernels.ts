import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from './package-root.ts';

const run = promisify(execFile);

/** Tiller's own operators, compiled; or why they are not to be had here. */
export type Kernels = { readonly library: string } | { readonly library: null; readonly reason: string };

/** For code that the compiler may fit to this very processor, and that computes what it says: no reordering of sums. */
const flags = [
  '-std=c++17',
  '-O3',
  '-march=native',
  '-fno-math-errno',
  '-ffp-contract=fast',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-Wno-psabi',
] as const;

/**
 * Compiles engine/kernels into the cache folder, once for a version of the sources, the compiler and the processor; later calls find
 * the library. Never throws: without a C++ compiler ONNX Runtime's operators do the same, slower.
 *
 * @param compiler the command
 */
export async function compileKernels(cacheDirectory: string, compiler = 'c++'): Promise<Kernels> {
  if (process.platform === 'win32') return { library: null, reason: 'they are not compiled on Windows' };
  try {
    const sources = kernelSources();
    const version = await compilerVersion(compiler);
    const key = createHash('sha256');
    for (const part of [version, flags.join(' '), processor()]) key.update(part).update('\0');
    for (const path of sources) key.update(readFileSync(path)).update('\0');
    const folder = join(cacheDirectory, 'kernels');
    const library = join(folder, `tiller-${key.digest('hex').slice(0, 16)}.so`);
    if (!existsSync(library)) {
      mkdirSync(folder, { recursive: true });
      const unfinished = `${library}.${randomUUID()}`;
      try {
        await run(compiler, [...flags, ...sources.filter((path) => path.endsWith('.cpp')), '-o', unfinished]);
        renameSync(unfinished, library);
      } finally {
        rmSync(unfinished, { force: true });
      }
    }
    return { library };
  } catch (error) {
    return { library: null, reason: reasonOf(error, compiler) };
  }
}

/** What the compiler calls itself. Throws when there is none. */
export async function compilerVersion(compiler = 'c++'): Promise<string> {
  const { stdout } = await run(compiler, ['--version']);
  return stdout.split('\n')[0] ?? '';
}

/** The sources lie beside package.json. */
function kernelSources(): string[] {
  const root = packageRoot();
  if (root === null) throw new Error('their sources are missing');
  const folder = join(root, 'engine', 'kernels');
  return readdirSync(folder)
    .sort()
    .map((file) => join(folder, file));
}

/** What `-march=native` depends on. */
function processor(): string {
  const name = `${process.arch} ${cpus()[0]?.model ?? ''}`;
  if (!existsSync('/proc/cpuinfo')) return name;
  const features = /^(?:flags|Features)\s*:.*$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
  return `${name} ${features?.[0] ?? ''}`;
}

function reasonOf(error: unknown, compiler: string): string {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return `there is no compiler '${compiler}'`;
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  const line = said.split('\n').find((candidate) => candidate.includes('error')) ?? said.split('\n')[0] ?? '';
  return `'${compiler}' could not compile them: ${line.trim()}`;
}
