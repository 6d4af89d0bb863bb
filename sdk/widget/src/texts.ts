// What the panel says, in English and Polish.

export type Texts = typeof english;

const english = {
  title: 'Chat',
  aiNotice: 'You are talking to an AI assistant. A person can take over.',
  close: 'Close chat',
  placeholder: 'Write a message…',
  label: 'Message',
  send: 'Send',
  attach: 'Attach a file',
  log: 'Conversation',
  sending: 'Sending…',
  failed: 'Not sent.',
  retry: 'Try again',
  offline: 'No connection. Your messages are sent when you are back online.',
  closed: 'This conversation has ended. Write to begin a new one.',
  operator: (name: string) => `${name} has joined the conversation.`,
  agent: 'AI assistant',
  person: 'Support',
  typing: 'is writing…',
  removed: 'Message removed',
  edited: 'edited',
  read: 'Read',
  consent: 'Continue',
  download: 'Download',
  tooLarge: 'The file is larger than 10 MB.',
  refused: 'This type of file is not accepted.',
  full: 'Too many messages are waiting to be sent.',
  error: 'The chat is not available right now.',
  you: 'You',
  newMessages: 'New messages',
  sources: 'Sources',
  page: 'page',
};

const polish: Texts = {
  title: 'Czat',
  aiNotice: 'Rozmawiasz z asystentem AI. Rozmowę może przejąć człowiek.',
  close: 'Zamknij czat',
  placeholder: 'Napisz wiadomość…',
  label: 'Wiadomość',
  send: 'Wyślij',
  attach: 'Dołącz plik',
  log: 'Rozmowa',
  sending: 'Wysyłanie…',
  failed: 'Nie wysłano.',
  retry: 'Spróbuj ponownie',
  offline: 'Brak połączenia. Wiadomości zostaną wysłane po jego przywróceniu.',
  closed: 'Ta rozmowa została zakończona. Napisz, aby rozpocząć nową.',
  operator: (name: string) => `Do rozmowy dołącza ${name}.`,
  agent: 'Asystent AI',
  person: 'Obsługa',
  typing: 'pisze…',
  removed: 'Wiadomość usunięta',
  edited: 'edytowano',
  read: 'Przeczytano',
  consent: 'Dalej',
  download: 'Pobierz',
  tooLarge: 'Plik jest większy niż 10 MB.',
  refused: 'Ten typ pliku nie jest obsługiwany.',
  full: 'Zbyt wiele wiadomości czeka na wysłanie.',
  error: 'Czat jest w tej chwili niedostępny.',
  you: 'Ty',
  newMessages: 'Nowe wiadomości',
  sources: 'Źródła',
  page: 'strona',
};

/** Returns the texts of a language, English if there are none. */
export function textsFor(locale: string): Texts {
  return locale.startsWith('pl') ? polish : english;
}
