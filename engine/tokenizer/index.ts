export { createChatTemplate } from './chat-template.ts';
export { createTokenizer, openTokenizer } from './create-tokenizer.ts';
