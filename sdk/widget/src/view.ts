// The panel's elements. Texts of messages are set as text, never as HTML.

import type { Attachment, Channel, Citation, Message } from './api.js';
import type { Waiting } from './outbox.js';
import type { Texts } from './texts.js';

export type Actions = {
  send(content: string): void;
  attach(file: File): void;
  retry(clientMessageId: string): void;
  download(attachment: Attachment): void;
  typing(): void;
  close(): void;
  consent(): void;
};

function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const nearEnd = 80; // pixels from the end within which new messages scroll into view

export class View {
  readonly input: HTMLTextAreaElement;
  private readonly heading = element('h1', { id: 'title' });
  private readonly list = element('ol', { id: 'messages' });
  private readonly log: HTMLElement;
  private readonly notice = element('p', { className: 'notice' });
  private readonly status = element('p', { className: 'status', role: 'status' });
  private readonly typingLine = element('p', { className: 'typing', hidden: true });
  private readonly draftBubble = element('div', { className: 'bubble' });
  // Screen readers say the message once it is complete.
  private readonly draftRow = element('div', { className: 'draft theirs', hidden: true, ariaHidden: 'true' }, this.draftBubble);
  private readonly form: HTMLFormElement;
  private readonly rows = new Map<string, { row: HTMLElement; shown: string }>();
  private consentBox: HTMLElement | undefined;

  constructor(
    private readonly texts: Texts,
    private readonly actions: Actions,
  ) {
    this.heading.textContent = texts.title;
    const close = element('button', { type: 'button', className: 'icon close', ariaLabel: texts.close, textContent: '×' });
    close.addEventListener('click', () => actions.close());
    this.log = element('div', { className: 'log', tabIndex: 0, role: 'log', ariaLabel: texts.log }, this.notice, this.list, this.draftRow, this.typingLine);
    this.log.setAttribute('aria-live', 'polite');
    this.input = element('textarea', { rows: 1, maxLength: 10_000, placeholder: texts.placeholder, ariaLabel: texts.label });
    this.form = this.makeForm();
    document.body.append(element('header', {}, this.heading, close), this.log, this.status, this.form);
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') actions.close();
    });
  }

  private makeForm(): HTMLFormElement {
    const file = element('input', { type: 'file', className: 'file', ariaLabel: this.texts.attach, tabIndex: -1 });
    const attach = element('button', { type: 'button', className: 'icon', ariaLabel: this.texts.attach, textContent: '+' });
    const send = element('button', { type: 'submit', className: 'send', textContent: this.texts.send });
    const form = element('form', {}, attach, file, this.input, send);
    attach.addEventListener('click', () => file.click());
    file.addEventListener('change', () => {
      const chosen = file.files?.[0];
      if (chosen) this.actions.attach(chosen);
      file.value = '';
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const content = this.input.value.trim();
      if (!content) return;
      this.input.value = '';
      this.resize();
      this.actions.send(content);
    });
    this.input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    this.input.addEventListener('input', () => {
      this.resize();
      this.actions.typing();
    });
    return form;
  }

  private resize(): void {
    this.input.style.height = 'auto';
    this.input.style.height = `${Math.min(this.input.scrollHeight, 140)}px`;
  }

  /** Shows what the channel says about itself. */
  introduce(channel: Channel): void {
    this.heading.textContent = channel.title || this.texts.title;
    if (channel.color) document.documentElement.style.setProperty('--accent', channel.color);
    this.notice.textContent = channel.aiNotice ?? this.texts.aiNotice;
    if (channel.greeting && !this.rows.has('greeting')) {
      const row = element('li', { className: 'message theirs' }, element('div', { className: 'bubble', textContent: channel.greeting }));
      this.list.prepend(row);
      this.rows.set('greeting', { row, shown: '' });
    }
  }

  /** Asks for consent before anything can be written; undefined takes the question away. */
  askConsent(text: string | undefined): void {
    this.consentBox?.remove();
    this.form.hidden = text !== undefined;
    if (text === undefined) return;
    const agree = element('button', { type: 'button', className: 'send', textContent: this.texts.consent });
    agree.addEventListener('click', () => this.actions.consent());
    this.consentBox = element('div', { className: 'consent' }, element('p', { textContent: text }), agree);
    this.form.before(this.consentBox);
    agree.focus();
  }

  say(text: string): void {
    this.status.textContent = text;
  }

  typing(who: string | undefined): void {
    this.typingLine.hidden = who === undefined;
    this.typingLine.textContent = who === undefined ? '' : `${who} ${this.texts.typing}`;
    if (who !== undefined) this.follow();
  }

  /** Shows what an agent has written so far; an empty text removes it. */
  draft(text: string): void {
    if (this.draftBubble.textContent === text) return;
    const atEnd = this.atEnd();
    this.draftRow.hidden = text === '';
    this.draftBubble.textContent = text;
    if (atEnd) this.follow();
  }

  private atEnd(): boolean {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < nearEnd;
  }

  /** Shows messages in their order, then those that wait. Only what changed is touched. */
  render(messages: readonly Message[], waiting: readonly Waiting[]): void {
    const atEnd = this.atEnd();
    const wanted: HTMLElement[] = [];
    const greeting = this.rows.get('greeting');
    if (greeting) wanted.push(greeting.row);
    for (const message of messages) wanted.push(this.row(message.clientMessageId ?? message.id, JSON.stringify(message), (row) => this.fill(row, message)));
    for (const item of waiting) wanted.push(this.row(item.clientMessageId, JSON.stringify(item), (row) => this.fillWaiting(row, item)));
    wanted.forEach((row, i) => {
      if (this.list.children[i] !== row) this.list.insertBefore(row, this.list.children[i] ?? null);
    });
    while (this.list.children.length > wanted.length) this.list.lastElementChild!.remove();
    if (atEnd) this.follow();
  }

  private follow(): void {
    this.log.scrollTop = this.log.scrollHeight;
  }

  private row(key: string, shown: string, fill: (row: HTMLElement) => void): HTMLElement {
    const known = this.rows.get(key) ?? { row: element('li'), shown: '' };
    if (known.shown !== shown) {
      known.shown = shown;
      known.row.replaceChildren();
      fill(known.row);
      this.rows.set(key, known);
    }
    return known.row;
  }

  private fill(row: HTMLElement, message: Message): void {
    const own = message.role === 'USER';
    row.className = `message ${own ? 'own' : 'theirs'}`;
    if (!own) row.append(element('span', { className: 'author', textContent: this.authorOf(message) }));
    const bubble = element('div', { className: 'bubble' });
    bubble.textContent = message.redactedAt ? this.texts.removed : message.content;
    if (message.redactedAt) bubble.classList.add('removed');
    if (bubble.textContent) row.append(bubble);
    for (const attachment of message.attachments) row.append(this.file(attachment));
    if (message.citations?.length) row.append(element('ul', { className: 'sources', ariaLabel: this.texts.sources }, ...message.citations.map((one) => this.source(one))));
    const time = new Date(message.createdAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const notes = [time, message.editedAt && !message.redactedAt ? this.texts.edited : ''];
    row.append(element('time', { dateTime: message.createdAt, textContent: notes.filter(Boolean).join(' · ') }));
  }

  private authorOf(message: Message): string {
    const role = message.author.type === 'AGENT' ? this.texts.agent : this.texts.person;
    return message.author.name ? `${message.author.name} · ${role}` : role;
  }

  // The source of a statement: a page opens, and of a file the passage is shown.
  private source(citation: Citation): HTMLElement {
    const label = `[${citation.index}] ${citation.title}`;
    if (citation.url && /^https?:/.test(citation.url)) {
      return element('li', {}, element('a', { href: citation.url, target: '_blank', rel: 'noopener noreferrer', textContent: label }));
    }
    const page = citation.page ? ` (${this.texts.page} ${citation.page})` : '';
    return element('li', {}, element('details', {}, element('summary', { textContent: label + page }), element('q', { textContent: citation.quote })));
  }

  private file(attachment: Attachment): HTMLElement {
    const button = element('button', { type: 'button', className: 'attachment', textContent: attachment.name ?? this.texts.download });
    button.disabled = attachment.state !== 'STORED';
    button.addEventListener('click', () => this.actions.download(attachment));
    return button;
  }

  private fillWaiting(row: HTMLElement, item: Waiting): void {
    row.className = `message own ${item.failed ? 'failed' : 'sending'}`;
    if (item.content) row.append(element('div', { className: 'bubble', textContent: item.content }));
    if (!item.failed) {
      row.append(element('time', { textContent: this.texts.sending }));
      return;
    }
    const again = element('button', { type: 'button', className: 'link', textContent: this.texts.retry });
    again.addEventListener('click', () => this.actions.retry(item.clientMessageId));
    row.append(element('span', { className: 'error' }, this.texts.failed, ' ', again));
  }
}
