// The inbox: unread marks, keys, drafts, quotes, and the live transcript. The pages work without it.
const seenKey = (id) => `seen:${id}`;
const draftKey = (id) => `draft:${id}`;
const messages = document.getElementById('messages');
const composer = () => document.querySelector('[data-draft]');

// What has changed since it was read in this browser is new.
for (const thread of document.querySelectorAll('[data-thread]')) {
  const seen = localStorage.getItem(seenKey(thread.dataset.thread));
  thread.querySelector('[data-unread]').hidden = seen === null || Number(seen) >= Number(thread.dataset.revision);
}
if (document.querySelector('[data-threads]')) sessionStorage.setItem('inbox', location.href);
const back = document.querySelector('[data-back]');
if (back) back.href = sessionStorage.getItem('inbox') ?? back.href;

const saw = (position) => { localStorage.setItem(seenKey(messages.dataset.conversation), position.split(':')[0]); };
const atEnd = () => messages.scrollHeight - messages.scrollTop - messages.clientHeight < 80;
const toEnd = () => { messages.scrollTop = messages.scrollHeight; };

const fragment = (html) => {
  const holder = document.createElement('template');
  holder.innerHTML = html;
  return holder.content;
};

// A message replaces itself, or is put in order: its ID sorts by time.
const place = ({ id, html }) => {
  const known = document.getElementById(`m-${id}`);
  if (known) return known.replaceWith(fragment(html));
  const oldest = messages.querySelector('[data-message]');
  if (oldest && id < oldest.dataset.message) return; // on an earlier page
  const later = [...messages.querySelectorAll('[data-message]')].find((one) => one.dataset.message > id);
  messages.firstElementChild.insertBefore(fragment(html), later ?? null);
};

const restore = () => {
  const box = composer();
  if (box && !box.value) box.value = localStorage.getItem(draftKey(box.dataset.draft)) ?? '';
};

const refresh = (id, html) => {
  const at = document.getElementById(id);
  if (!at || at.contains(document.activeElement) || at.dataset.html === html) return;
  at.replaceChildren(fragment(html));
  at.dataset.html = html;
  if (id === 'composer') restore();
};

let source;
let typing;
const listen = () => {
  const [path] = messages.dataset.stream.split('?');
  source = new EventSource(`${path}?after=${messages.dataset.position}`);
  source.addEventListener('message', (event) => {
    const end = atEnd();
    place(JSON.parse(event.data));
    if (end) toEnd();
  });
  source.addEventListener('conversation', (event) => {
    const { position, head, composer: form } = JSON.parse(event.data);
    messages.dataset.position = position;
    saw(position);
    refresh('head', head);
    // A form in which someone is writing stays, unless it is no longer allowed to send it.
    if (!form.includes('data-draft') || !composer()) refresh('composer', form);
  });
  source.addEventListener('typing', (event) => {
    const { author, on } = JSON.parse(event.data);
    if (author !== 'CONTACT') return;
    const line = document.getElementById('typing');
    line.textContent = on ? 'The contact is writing…' : '';
    clearTimeout(typing);
    typing = setTimeout(() => { line.textContent = ''; }, 10_000);
  });
  // The browser reconnects by itself, except after a refusal.
  source.addEventListener('error', () => { if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5_000); });
};

if (messages) {
  toEnd();
  const parameters = new URLSearchParams(location.search);
  if (parameters.has('sent')) {
    localStorage.removeItem(draftKey(messages.dataset.conversation));
    history.replaceState(null, '', location.pathname);
  }
  restore();
  if (messages.dataset.stream) {
    saw(messages.dataset.position);
    listen();
    addEventListener('pagehide', () => source.close());
    addEventListener('pageshow', (event) => { if (event.persisted) listen(); });
  }
}

const unquote = () => {
  document.querySelector('[data-reply-to]').value = '';
  document.querySelector('[data-quoted]').hidden = true;
};

document.addEventListener('input', (event) => {
  if (event.target.matches('[data-draft]')) localStorage.setItem(draftKey(event.target.dataset.draft), event.target.value);
});

document.addEventListener('click', (event) => {
  const quote = event.target.closest('[data-quote]');
  if (event.target.closest('[data-unquote]')) unquote();
  if (!quote || !composer()) return;
  document.querySelector('[data-reply-to]').value = quote.dataset.quote;
  document.querySelector('[data-quoted-text]').textContent = quote.closest('.message').querySelector('[data-text]')?.textContent.slice(0, 140) ?? '';
  document.querySelector('[data-quoted]').hidden = false;
  composer().focus();
});

// A form is sent once.
document.addEventListener('submit', (event) => {
  if (!event.target.matches('[data-reply]')) return;
  if (event.target.dataset.sending) event.preventDefault();
  event.target.dataset.sending = 'yes';
});

const move = (by) => {
  const threads = [...document.querySelectorAll('[data-thread]')];
  const at = threads.indexOf(document.activeElement);
  threads[Math.min(threads.length - 1, Math.max(0, at + by))]?.focus();
};

document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.target.matches('[data-draft]')) {
    event.preventDefault();
    event.target.form.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select, [contenteditable]')) return;
  const button = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (button) button.click();
  else if (event.key === 'j') move(1);
  else if (event.key === 'k') move(-1);
  else if (event.key === 'r' && composer()) composer().focus();
  else if (event.key === 'u' && back) back.click();
  else if (event.key === '/' && document.getElementById('q')) document.getElementById('q').focus();
  else return;
  event.preventDefault();
});
