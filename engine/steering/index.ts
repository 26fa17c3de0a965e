export * from './compile-edits.ts';
export * from './modes.ts';
export * from './positions.ts';
export * from './reference.ts';
export * from './refusals.ts';
export * from './report.ts';
export * from './row-inputs.ts';
