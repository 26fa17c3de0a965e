/** Asked for contrasting replies where the request names no questions: everyday, and about nothing in particular. */
export const writingQuestions: readonly string[] = [
  'What should I have for breakfast?',
  'How do I keep my house plants alive?',
  'Tell me about the ocean.',
  'What is a good way to learn a language?',
  'How does a bicycle stay upright?',
  'Describe your favourite season.',
  'What can I do on a rainy day?',
  'Why is the sky blue?',
  'How do I make a new friend?',
  'What is a good present for my sister?',
  'Tell me a short story about a dog.',
  'How do I fall asleep faster?',
  'What do you think about mountains?',
  'How is bread made?',
  'What makes a good teacher?',
  'Tell me about a famous city.',
  'How do I clean my kitchen?',
  'What is the best way to travel?',
  'Why do people like music?',
  'How can I save money?',
  'What is a computer?',
  'Tell me something about birds.',
  'How do I write a letter?',
  'What happens in winter?',
];

/** What a found steering is tried on: others, so that it is not tried on what it was made of. */
export const tryingQuestions: readonly string[] = [
  'Tell me about your day.',
  'What makes a good dinner?',
  'Describe a walk in the park.',
  'How do I stay healthy?',
  'What is your advice for a new job?',
  'Tell me about the moon.',
];
