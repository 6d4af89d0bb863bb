// Messages that wait to be sent. They are kept in the browser until the server has stored
// them, and may be sent more than once: the server knows them by their client message ID.

import { type Client, Failure, type Message } from './api.js';

export type Waiting = { clientMessageId: string; content: string; attachmentIds: string[]; createdAt: string; failed: boolean };

const most = 50;

export class Outbox {
  private items: Waiting[];
  private flushing = false;

  constructor(
    private readonly client: Client,
    private readonly name: string,
    private readonly changed: () => void,
    private readonly stored: (message: Message) => void,
  ) {
    this.items = this.load();
    window.addEventListener('online', () => void this.flush());
    window.addEventListener('storage', (event) => {
      if (event.key !== this.name) return;
      this.items = this.load();
      this.changed();
    });
  }

  /** The messages that are not stored by the server, oldest first. */
  get waiting(): readonly Waiting[] {
    return this.items;
  }

  /** Adds a message and begins to send it; false if too many wait. */
  add(content: string, attachmentIds: string[]): boolean {
    if (this.items.length >= most) return false;
    const item = { clientMessageId: crypto.randomUUID(), content, attachmentIds, createdAt: new Date().toISOString(), failed: false };
    this.update([...this.items, item]);
    void this.flush();
    return true;
  }

  /** Sends a message again that the server has refused. */
  retry(clientMessageId: string): void {
    this.update(this.items.map((item) => (item.clientMessageId === clientMessageId ? { ...item, failed: false } : item)));
    void this.flush();
  }

  /** Forgets a message that the server has stored. */
  forget(clientMessageId: string | null): void {
    if (this.items.some((item) => item.clientMessageId === clientMessageId)) {
      this.update(this.items.filter((item) => item.clientMessageId !== clientMessageId));
    }
  }

  /** Sends what waits, in its order; one tab at a time does. */
  async flush(): Promise<void> {
    if (this.flushing) return;
    this.flushing = true;
    try {
      await navigator.locks.request(this.name, () => this.sendAll());
    } finally {
      this.flushing = false;
    }
  }

  private async sendAll(): Promise<void> {
    for (let failures = 0; ; ) {
      this.items = this.load();
      const next = this.items.find((item) => !item.failed);
      if (!next) return;
      try {
        const { clientMessageId, content, attachmentIds } = next;
        const response = await this.client.post('/messages', { clientMessageId, content, ...(attachmentIds.length ? { attachmentIds } : {}) });
        const message = (await response.json()) as Message;
        failures = 0;
        this.stored(message);
        this.forget(clientMessageId);
      } catch (error) {
        if (error instanceof Failure && !error.passes) {
          this.update(this.items.map((item) => (item.clientMessageId === next.clientMessageId ? { ...item, failed: true } : item)));
          continue;
        }
        const wait = error instanceof Failure ? error.retryAfter * 1000 : 0;
        await this.pause(Math.max(wait, Math.min(30_000, 500 * 2 ** failures++)));
      }
    }
  }

  /** Waits, at most until the browser is online again. */
  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      window.addEventListener('online', () => (clearTimeout(timer), resolve()), { once: true });
    });
  }

  private load(): Waiting[] {
    try {
      return JSON.parse(localStorage.getItem(this.name) ?? '[]') as Waiting[];
    } catch {
      return this.items ?? [];
    }
  }

  private update(items: Waiting[]): void {
    this.items = items;
    try {
      localStorage.setItem(this.name, JSON.stringify(items));
    } catch {
      // Storage is blocked or full: the messages are in memory until the page is closed.
    }
    this.changed();
  }
}
