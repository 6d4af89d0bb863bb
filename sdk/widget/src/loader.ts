// The script on the customer's page. It shows a button in a Shadow DOM, and opens the panel
// in a sandboxed frame. It sends no request before the widget is opened for the first time.

import { open as unpack, VERSION, type FromLoader, type FromPanel } from './protocol.js';

const script = document.currentScript as HTMLScriptElement | null;
const texts: Record<string, { open: string; close: string; title: string; unread: (n: number) => string }> = {
  en: { open: 'Open chat', close: 'Close chat', title: 'Chat', unread: (n) => `${n} unread` },
  pl: { open: 'Otwórz czat', close: 'Zamknij czat', title: 'Czat', unread: (n) => `nieprzeczytane: ${n}` },
};

const style = `
:host{all:initial}
button{position:fixed;inset:auto 20px 20px auto;width:56px;height:56px;border:0;border-radius:28px;background:var(--c);color:#fff;cursor:pointer;box-shadow:0 4px 16px #0004;z-index:2147483000;display:grid;place-items:center;padding:0}
button:focus-visible{outline:3px solid #fff;outline-offset:-6px}
svg{width:26px;height:26px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
span{position:absolute;top:-4px;right:-4px;min-width:20px;height:20px;border-radius:10px;background:#b42318;color:#fff;font:600 12px/20px system-ui,sans-serif;text-align:center;padding:0 5px;box-sizing:border-box}
span:empty{display:none}
iframe{position:fixed;inset:auto 20px 88px auto;width:380px;height:min(620px,calc(100vh - 108px));border:0;border-radius:16px;box-shadow:0 8px 40px #0005;z-index:2147483001;background:Canvas;color-scheme:light dark}
iframe[hidden]{display:none}
@media (max-width:480px){iframe{inset:0;width:100%;height:100%;border-radius:0}}
@media (prefers-reduced-motion:no-preference){iframe{animation:c .15s ease-out}@keyframes c{from{opacity:0;transform:translateY(8px)}}}
`;

const icon = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M21 12a8 8 0 0 1-8 8H4l2-3a8 8 0 1 1 15-5z"/></svg>';

function start(tag: HTMLScriptElement): void {
  const channel = tag.dataset.channel;
  if (!channel) {
    console.error('Convo: the script tag has no data-channel.');
    return;
  }
  const origin = new URL(tag.src).origin;
  const locale = tag.dataset.locale ?? (navigator.language.startsWith('pl') ? 'pl' : 'en');
  const text = texts[locale] ?? texts.en!;
  const host = document.createElement('convo-widget');
  const root = host.attachShadow({ mode: 'closed' });
  root.innerHTML = `<style>${style}</style><button type="button" aria-haspopup="dialog" aria-expanded="false">${icon}<span></span></button>`;
  const button = root.querySelector('button')!;
  const badge = root.querySelector('span')!;
  button.style.setProperty('--c', tag.dataset.color ?? '#175cd3');
  button.setAttribute('aria-label', text.open);
  document.body.append(host);

  let frame: HTMLIFrameElement | undefined;
  let shown = false;

  const post = (message: FromLoader): void => frame?.contentWindow?.postMessage({ convo: VERSION, ...message }, origin);

  const show = (visible: boolean): void => {
    shown = visible;
    load();
    frame!.hidden = !visible;
    button.setAttribute('aria-expanded', String(visible));
    button.setAttribute('aria-label', visible ? text.close : text.open);
    post({ type: 'visible', open: visible });
    if (visible) frame!.focus();
    else button.focus();
  };

  const load = (): void => {
    if (frame) return;
    frame = document.createElement('iframe');
    frame.title = text.title;
    frame.hidden = true;
    frame.setAttribute('sandbox', 'allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-downloads');
    frame.src = `${origin}/widget/frame?channel=${encodeURIComponent(channel)}`;
    root.append(frame);
    remember();
  };

  const key = `convo:${channel}`;
  const remember = (): void => {
    try {
      localStorage.setItem(key, '1');
    } catch {
      // Storage is blocked: there is no badge before the widget is opened again.
    }
  };
  const opened = (): boolean => {
    try {
      return localStorage.getItem(key) !== null;
    } catch {
      return false;
    }
  };

  button.addEventListener('click', () => show(!shown));
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && shown) show(false);
  });
  window.addEventListener('message', (event) => {
    if (event.origin !== origin || !frame || event.source !== frame.contentWindow) return;
    const message = unpack<FromPanel>(event.data);
    if (message?.type === 'ready') {
      const identity = tag.dataset.identity;
      post({ type: 'hello', channel, locale, open: shown, ...(identity ? { identity } : {}) });
    } else if (message?.type === 'close') {
      show(false);
    } else if (message?.type === 'unread') {
      badge.textContent = message.count > 0 ? String(Math.min(message.count, 99)) : '';
      button.setAttribute('aria-label', message.count > 0 ? `${text.open}, ${text.unread(message.count)}` : shown ? text.close : text.open);
    }
  });
  // Who has opened it before sees the badge of new replies.
  if (opened()) (window.requestIdleCallback ?? setTimeout)(load);
}

if (script) {
  if (document.body) start(script);
  else document.addEventListener('DOMContentLoaded', () => start(script));
}
