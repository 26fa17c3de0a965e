import { distance } from 'fastest-levenshtein';
import { describe, expect, it } from 'vitest';
import { knownFields, misspellingOf } from '../../../routes/http/known-fields.ts';
import { chatRequestSchema } from '../../../routes/openai/schemas/chat.ts';

const known = Object.keys(chatRequestSchema.shape);

describe('misspellingOf', () => {
  it.each([
    ['temprature', 'temperature'],
    ['temperatur', 'temperature'],
    ['max_token', 'max_tokens'],
    ['maxTokens', 'max_tokens'],
    ['top-p', 'top_p'],
    ['topP', 'top_p'],
    ['stopp', 'stop'],
    ['sead', 'seed'],
    ['steering_vectors', 'steering'],
    ['steer', 'steering'],
  ])('%s looks like %s', (field, meant) => {
    expect(misspellingOf(field, known, distance)).toBe(meant);
  });

  it.each(['k', 'foo', 'verbosity', 'reasoning_effort', 'thinking', 'cache_salt', 'priority'])(
    '%s looks like nothing of ours',
    (field) => {
      expect(misspellingOf(field, known, distance)).toBeNull();
    },
  );
});

describe('knownFields', () => {
  it('walks arrays, optionals and unions', () => {
    expect(knownFields(chatRequestSchema, ['steering'])).toEqual(['profile', 'edits', 'rules']);
    expect(knownFields(chatRequestSchema, ['steering', 'edits', 3])).toContain('only_if_active');
    expect(knownFields(chatRequestSchema, ['steering', 'edits', 0, 'vector'])).toEqual(['hook_point', 'data']);
    expect(knownFields(chatRequestSchema, ['nothing', 'here'])).toEqual([]);
  });
});
