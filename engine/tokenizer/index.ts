export { createChatTemplate } from './chat-template.ts';
export { createTokenizer } from './create-tokenizer.ts';
