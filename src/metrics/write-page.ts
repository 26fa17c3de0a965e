/** npm run metrics:docs: writes docs/metrics.md; run from the repository root. A test fails while it is stale. */
import { writeFileSync } from 'node:fs';
import { describeMetrics } from './describe.ts';

writeFileSync('docs/metrics.md', describeMetrics());
