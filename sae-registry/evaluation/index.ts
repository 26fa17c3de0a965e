export * from './dose-response.ts';
export * from './fluency.ts';
export * from './output-score.ts';
export * from './repetition.ts';
export * from './scored-text.ts';
export * from './text-figures.ts';
export * from './word-match.ts';
