// The panel, in a frame of the server: what the visitor reads and writes.

import { type Attachment, Client, type Conversation, Failure, type Message } from './api.js';
import { Outbox } from './outbox.js';
import { type FromLoader, type FromPanel, open, VERSION } from './protocol.js';
import { Stream, type StreamEvent } from './stream.js';
import { textsFor } from './texts.js';
import { View } from './view.js';

const largestFile = 10 * 1024 * 1024;
const typingEvery = 4_000; // milliseconds between two reports that the visitor is writing
const draftFor = 20_000; // how long a draft is shown that is neither continued nor replaced
const typingFor = 6_000; // how long the other side is shown as writing

/** Who is writing, and what an agent has written so far. */
type Typing = { author: string; on: boolean; draft?: string };

/** Calls back when the loader says hello; its origin is the only one spoken to from then on. */
function greetLoader(hello: (message: Extract<FromLoader, { type: 'hello' }>, post: (m: FromPanel) => void) => void, visible: (on: boolean) => void): void {
  let origin: string | undefined;
  window.addEventListener('message', (event) => {
    if (event.source !== parent || (origin !== undefined && event.origin !== origin)) return;
    const message = open<FromLoader>(event.data);
    if (message?.type === 'hello' && origin === undefined) {
      origin = event.origin;
      hello(message, (m) => parent.postMessage({ convo: VERSION, ...m }, origin!));
    } else if (message?.type === 'visible') {
      visible(message.open);
    }
  });
  // The page's origin is not known yet; this message says nothing.
  parent.postMessage({ convo: VERSION, type: 'ready' } satisfies FromPanel & { convo: number }, '*');
}

function storage(key: string): { get(): string | undefined; set(value: string): void } {
  let inMemory: string | undefined;
  return {
    get() {
      try {
        return localStorage.getItem(key) ?? inMemory;
      } catch {
        return inMemory;
      }
    },
    set(value) {
      inMemory = value;
      try {
        localStorage.setItem(key, value);
      } catch {
        // Storage is blocked: the visitor is a new one on the next page.
      }
    },
  };
}

class Panel {
  private readonly texts;
  private readonly view: View;
  private readonly client: Client;
  private readonly outbox: Outbox;
  private readonly consented;
  private readonly messages = new Map<string, Message>();
  private conversation: Conversation | null = null;
  private visible: boolean;
  private lastRead = '';
  private lastTyping = 0;
  private typingTimer: ReturnType<typeof setTimeout> | undefined;
  private draftTimer: ReturnType<typeof setTimeout> | undefined;
  private started = false;

  constructor(
    private readonly channel: string,
    locale: string,
    identity: string | undefined,
    visible: boolean,
    private readonly post: (message: FromPanel) => void,
  ) {
    this.visible = visible;
    this.texts = textsFor(locale);
    document.documentElement.lang = locale;
    this.consented = storage(`convo:consent:${channel}`);
    this.client = new Client(channel, identity, storage(`convo:visitor:${channel}`));
    this.outbox = new Outbox(this.client, `convo:outbox:${channel}`, () => this.render(), (message) => this.store(message));
    this.view = new View(this.texts, {
      send: (content) => this.send(content, []),
      attach: (file) => void this.attach(file),
      retry: (id) => this.outbox.retry(id),
      download: (attachment) => void this.download(attachment),
      typing: () => this.reportTyping(),
      close: () => this.post({ type: 'close' }),
      consent: () => this.agree(),
    });
    document.addEventListener('visibilitychange', () => this.markRead());
  }

  async start(): Promise<void> {
    for (let failures = 0; !this.started; failures++) {
      try {
        const session = await this.client.renew();
        this.started = true;
        this.conversation = session.conversation;
        this.view.introduce(session.channel);
        if (session.channel.consentText && this.consented.get() === undefined) this.view.askConsent(session.channel.consentText);
      } catch (error) {
        this.view.say(this.texts.error);
        if (error instanceof Failure && !error.passes) return;
        const wait = error instanceof Failure ? error.retryAfter * 1000 : 0;
        await new Promise((resolve) => setTimeout(resolve, Math.max(wait, Math.min(30_000, 1000 * 2 ** failures))));
      }
    }
    this.view.say('');
    this.render();
    new Stream(this.client, `convo:stream:${this.channel}`, (event) => this.receive(event), (on) => this.view.say(on ? this.statusText() : this.texts.offline)).run();
    void this.loadHistory();
    void this.outbox.flush();
    if (this.visible) this.view.input.focus();
  }

  /** Loads the latest messages. The stream begins with them, but another tab may be reading it. */
  private async loadHistory(): Promise<void> {
    try {
      const response = await this.client.send('/messages?limit=100');
      for (const message of (await response.json()) as Message[]) {
        // What the stream has sent meanwhile is newer.
        if (!this.messages.has(message.id)) this.store(message);
      }
    } catch {
      // If no tab can connect, the stream says so.
    }
  }

  show(on: boolean): void {
    this.visible = on;
    if (on) this.view.input.focus();
    this.markRead();
  }

  private agree(): void {
    this.consented.set(new Date().toISOString());
    this.view.askConsent(undefined);
    this.view.input.focus();
  }

  private send(content: string, attachmentIds: string[]): void {
    if (!this.outbox.add(content, attachmentIds)) this.view.say(this.texts.full);
  }

  private receive(event: StreamEvent): void {
    if (event.type === 'message') this.store(event.data as Message);
    else if (event.type === 'conversation') this.setConversation(event.data as Conversation);
    else if (event.type === 'typing') this.showTyping(event.data as Typing);
  }

  private store(message: Message): void {
    this.messages.set(message.id, message);
    this.outbox.forget(message.clientMessageId);
    if (message.role === 'ASSISTANT') {
      this.showTyping({ author: message.author.type, on: false, draft: '' });
    }
    this.render();
    this.markRead();
  }

  private setConversation(to: Conversation): void {
    const joined = to.status === 'HANDED_OFF' && to.operator && this.conversation?.operator?.name !== to.operator.name;
    this.conversation = to;
    this.view.say(joined ? this.texts.operator(to.operator!.name) : this.statusText());
  }

  private statusText(): string {
    return this.conversation?.status === 'CLOSED' ? this.texts.closed : '';
  }

  private showTyping(to: Typing): void {
    if (to.draft !== undefined) this.showDraft(to.draft);
    clearTimeout(this.typingTimer);
    this.view.typing(to.on ? (to.author === 'AGENT' ? this.texts.agent : this.texts.person) : undefined);
    if (to.on) this.typingTimer = setTimeout(() => this.view.typing(undefined), typingFor);
  }

  /** Shows what an agent has written so far, until its message arrives. Drafts are hints, which can be lost. */
  private showDraft(text: string): void {
    clearTimeout(this.draftTimer);
    this.view.draft(text);
    if (text) this.draftTimer = setTimeout(() => this.view.draft(''), draftFor);
  }

  private sorted(): Message[] {
    return [...this.messages.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  private render(): void {
    const known = new Set([...this.messages.values()].map((message) => message.clientMessageId));
    this.view?.render(this.sorted(), this.outbox.waiting.filter((item) => !known.has(item.clientMessageId)));
  }

  /** Tells the server which message was seen last, and the loader how many were not. */
  private markRead(): void {
    const theirs = this.sorted().filter((message) => message.role === 'ASSISTANT');
    const latest = theirs.at(-1);
    if (this.visible && document.visibilityState === 'visible' && latest && latest.id > this.lastRead) {
      this.lastRead = latest.id;
      this.client.post('/read', { messageId: latest.id }).catch(() => (this.lastRead = ''));
    }
    const unread = theirs.filter((message) => message.deliveryStatus !== 'READ' && message.id > this.lastRead).length;
    this.post({ type: 'unread', count: this.visible ? 0 : unread });
  }

  private reportTyping(): void {
    if (!this.conversation || Date.now() - this.lastTyping < typingEvery) return;
    this.lastTyping = Date.now();
    this.client.post('/typing', { on: true }).catch(() => undefined);
  }

  private async attach(file: File): Promise<void> {
    if (file.size > largestFile) return this.view.say(this.texts.tooLarge);
    try {
      const headers = { 'Content-Type': file.type || 'application/octet-stream', 'X-Original-Name': encodeURIComponent(file.name) };
      const response = await this.client.send('/attachments', { method: 'POST', headers, body: file, signal: AbortSignal.timeout(120_000) });
      const { id } = (await response.json()) as { id: string };
      this.send('', [id]);
    } catch (error) {
      this.view.say(error instanceof Failure && error.passes ? this.texts.offline : this.texts.refused);
    }
  }

  private async download(attachment: Attachment): Promise<void> {
    try {
      const response = await this.client.send(`/attachments/${attachment.id}`);
      const link = document.createElement('a');
      link.href = URL.createObjectURL(await response.blob());
      link.download = attachment.name ?? 'file';
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch {
      this.view.say(this.texts.error);
    }
  }
}

let panel: Panel | undefined;
greetLoader(
  (hello, post) => {
    // The channel's own language, if it has one, is in the page.
    panel = new Panel(hello.channel, document.documentElement.dataset.locale ?? hello.locale ?? navigator.language, hello.identity, hello.open, post);
    void panel.start();
  },
  (on) => panel?.show(on),
);
