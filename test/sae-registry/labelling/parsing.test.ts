import { describe, expect, it } from 'vitest';
import { parseJudgements } from '../../../sae-registry/labelling/parse-judgements.ts';
import { parseLabel } from '../../../sae-registry/labelling/parse-label.ts';
import { tokenLabel } from '../../../sae-registry/labelling/token-label.ts';
import { passage } from './passages.ts';

describe('a label in an answer', () => {
  it.each([
    ['{"label": "names of rivers"}', 'names of rivers'],
    ['```json\n{"label": "names of rivers."}\n```', 'names of rivers'],
    ['Sure! {"label": "a } in code"} Hope it helps.', 'a } in code'],
    ['<think>is it {"label": "lakes"}? no</think>\n{"label": "rivers"}', 'rivers'],
    ['thoughts without a beginning {"label": "lakes"}</think> {"label": "rivers"}', 'rivers'],
    ['{"explanation": "rivers", "confidence": 3}', 'rivers'],
    ['{"label": "two\\n  lines"}', 'two lines'],
    ['{"label": "a\\u001b[31m colour"}', 'a [31m colour'],
    ['Here is the label:\n\n"names of rivers"', 'names of rivers'],
    ['**Label:** names of rivers', 'names of rivers'],
    ['- names of rivers', 'names of rivers'],
    ["'Yes' and 'no'", "'Yes' and 'no'"],
    ['{"label": "\'Yes\' in dialogue"}', "'Yes' in dialogue"],
    ['ellipsis...', 'ellipsis...'],
  ])('%j is %j', (answer, label) => {
    expect(parseLabel(answer)).toBe(label);
  });

  it.each([
    [''],
    ['   \n'],
    ['{"label": ""}'],
    ['{"label": 3}'],
    ['{"label": "cut off'],
    ["I'm sorry, I cannot help with that."],
    ['{"label": "I cannot tell"}'],
    ['one\ntwo\nthree lines'],
    ['x'.repeat(201)],
    ['<think>never ends</think>'],
    ['{"other": "names of rivers"}'],
  ])('is not in %j', (answer) => {
    expect(parseLabel(answer)).toBeNull();
  });
});

describe('judgements in an answer', () => {
  const yesNoYes = [true, false, true];
  it.each([
    ['[1, 0, 1]'],
    ['[1,0,1]\n'],
    ['```json\n[1, 0, 1]\n```'],
    ['[true, false, true]'],
    ['["yes", "No", "1"]'],
    ['{"judgements": [1, 0, 1]}'],
    ['<think>[0, 0, 0]</think>[1, 0, 1]'],
    ['Like [1, 0, 0], so: [1, 0, 1]'],
    ['1. yes\n2. no\n3. yes'],
    ['1: 1\n2: 0\n\n3: 1'],
    ['1, 0, 1'],
    ['1 0 1'],
  ])('%j are read', (answer) => {
    expect(parseJudgements(answer, 3)).toEqual(yesNoYes);
  });

  it.each([
    ['', 3],
    ['[1, 0]', 3],
    ['[1, 0, 1, 1]', 3],
    ['[1, 2, 0]', 3],
    ['[0.5, 0, 1]', 3],
    ['[1, 0, 1', 3],
    ['101', 3],
    ['The first and the third fit.', 3],
    ['1. yes\n3. no\n2. yes', 3],
    ['1. yes', 3],
    ['yes', 1],
    ['[]', 0],
  ])('%j holds none for %i', (answer, count) => {
    expect(parseJudgements(answer, count)).toBeNull();
  });
});

describe('a label without a model', () => {
  const evidence = { feature: 1, passages: [], topLogits: [' two', ' to'], topTokens: [' Yes', 'yes', ' till', '\n'] };
  it('names the tokens on which it fires, each once', () => {
    expect(tokenLabel(evidence)).toBe("fires on 'Yes', 'till', \"\\n\"");
  });
  it('else the peaks of its passages, else what it makes likelier', () => {
    const passages = [passage('a [cat] sat'), passage('the [Cats] ran')];
    expect(tokenLabel({ ...evidence, topTokens: [], passages })).toBe("fires on 'cat', 'Cats'");
    expect(tokenLabel({ ...evidence, topTokens: [] })).toBe("makes likelier 'two', 'to'");
  });
  it('is none where nothing is known', () => {
    expect(tokenLabel({ feature: 1, passages: [], topLogits: [], topTokens: [''] })).toBeNull();
  });
});
