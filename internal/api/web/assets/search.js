// Searches the documentation as the user types. Without JavaScript the form is sent to the server.
const box = document.querySelector('[data-search]');
const list = document.getElementById('search-results');
let entries;
let chosen = -1;

const load = async () => { entries ??= await (await fetch('/docs/search.json')).json(); };
const close = () => {
  list.hidden = true;
  box.setAttribute('aria-expanded', 'false');
  box.removeAttribute('aria-activedescendant');
  chosen = -1;
};

const rank = (entry, words) => {
  const title = entry.title.toLowerCase();
  const text = entry.text.toLowerCase();
  let sum = 0;
  for (const word of words) {
    if (title.startsWith(word)) sum += 4;
    else if (title.includes(word)) sum += 3;
    else if (text.includes(word)) sum += 1;
    else return 0;
  }
  return sum;
};

const show = () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length || !entries) return close();
  const found = entries
    .map((entry) => [rank(entry, words), entry])
    .filter(([sum]) => sum > 0)
    .sort(([a], [b]) => b - a)
    .slice(0, 10);
  list.replaceChildren(...found.map(([, entry], i) => {
    const option = document.createElement('a');
    option.href = entry.url;
    option.id = `search-result-${i}`;
    option.role = 'option';
    option.tabIndex = -1;
    const title = document.createElement('strong');
    title.textContent = entry.title;
    const kind = document.createElement('span');
    kind.textContent = entry.kind;
    option.append(title, kind);
    return option;
  }));
  if (!found.length) {
    const none = document.createElement('p');
    none.textContent = 'No results.';
    list.append(none);
  }
  list.hidden = false;
  box.setAttribute('aria-expanded', 'true');
  choose(found.length ? 0 : -1);
};

const choose = (i) => {
  const options = [...list.querySelectorAll('a')];
  chosen = options.length ? (i + options.length) % options.length : -1;
  options.forEach((option, n) => option.setAttribute('aria-selected', String(n === chosen)));
  if (chosen >= 0) {
    box.setAttribute('aria-activedescendant', options[chosen].id);
    options[chosen].scrollIntoView({ block: 'nearest' });
  }
};

if (box) {
  box.addEventListener('focus', load);
  box.addEventListener('input', async () => { await load(); show(); });
  box.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') choose(chosen + 1);
    else if (event.key === 'ArrowUp') choose(chosen - 1);
    else if (event.key === 'Escape') close();
    else if (event.key === 'Enter' && chosen >= 0 && !list.hidden) list.querySelectorAll('a')[chosen].click();
    else return;
    event.preventDefault();
  });
  document.addEventListener('click', (event) => { if (!event.target.closest('.search')) close(); });
  document.addEventListener('keydown', (event) => {
    if (event.key === '/' && !event.target.closest('input, textarea, select')) {
      event.preventDefault();
      box.focus();
    }
  });
}
