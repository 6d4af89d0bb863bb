// The stream of events: one for each browser. The tab that holds the lock reads the stream
// and passes each event on to the others; when it closes, another tab takes over.

import { type Client, Failure } from './api.js';

export type StreamEvent = { type: string; id: string; data: unknown };

const silence = 60_000; // milliseconds without a byte mean that the connection is dead
const longestWait = 30_000;

/** Parses a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class Parser {
  private rest = '';
  private event = { type: 'message', id: '', data: '' };

  /** Returns the events that a piece of the stream completes. */
  push(piece: string): StreamEvent[] {
    const lines = (this.rest + piece).split(/\r\n|\n|\r/);
    this.rest = lines.pop() ?? '';
    const complete: StreamEvent[] = [];
    for (const line of lines) {
      if (line !== '') {
        this.field(line);
      } else if (this.event.data !== '') {
        complete.push({ ...this.event, data: JSON.parse(this.event.data) });
        this.event = { type: 'message', id: this.event.id, data: '' };
      } else {
        this.event.type = 'message';
      }
    }
    return complete;
  }

  private field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment: the heartbeat
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.event.type = value;
    else if (name === 'id') this.event.id = value;
    else if (name === 'data') this.event.data += (this.event.data && '\n') + value;
  }
}

/** Reads events for all tabs of the browser, from the one that holds the lock. */
export class Stream {
  private readonly others: BroadcastChannel;
  private last = '';
  private wake: (() => void) | undefined;

  constructor(
    private readonly client: Client,
    private readonly name: string,
    private readonly receive: (event: StreamEvent) => void,
    private readonly connected: (on: boolean) => void,
  ) {
    this.others = new BroadcastChannel(name);
    this.others.onmessage = (message: MessageEvent<StreamEvent>) => this.apply(message.data);
    window.addEventListener('online', () => this.wake?.());
  }

  /** Runs until the page is closed. */
  run(): void {
    void navigator.locks.request(this.name, async () => {
      for (let failures = 0; ; failures++) {
        try {
          await this.read(() => (failures = 0));
        } catch (error) {
          if (error instanceof Failure && error.status === 401) await this.client.renew().catch(() => undefined);
        }
        this.tell({ type: 'connected', id: '', data: false });
        await this.pause(Math.min(longestWait, 250 * 2 ** failures) * (0.75 + Math.random() / 2));
      }
    });
  }

  /** Tells all tabs, this one included. */
  tell(event: StreamEvent): void {
    this.others.postMessage(event);
    this.apply(event);
  }

  private apply(event: StreamEvent): void {
    if (event.id) this.last = event.id;
    if (event.type === 'connected') this.connected(event.data as boolean);
    else this.receive(event);
  }

  private async read(opened: () => void): Promise<void> {
    const abort = new AbortController();
    let timer = setTimeout(() => abort.abort(), silence);
    try {
      const response = await this.client.send('/events', {
        headers: { Accept: 'text/event-stream', ...(this.last ? { 'Last-Event-ID': this.last } : {}) },
        signal: abort.signal,
      });
      opened();
      this.tell({ type: 'connected', id: '', data: true });
      const parser = new Parser();
      for (const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(), silence);
        for (const event of parser.push(value)) {
          if (event.type === 'expired') await this.client.renew();
          else this.tell(event);
        }
      }
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }

  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
