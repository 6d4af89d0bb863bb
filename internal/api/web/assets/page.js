// What every page does with a script: choose a theme, copy, ask before what cannot be
// undone, and forget a secret when the page is left.
const dark = () =>
  (document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';

document.addEventListener('click', async (event) => {
  const theme = event.target.closest('[data-theme-switch]');
  if (theme) {
    const next = dark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = next;
    localStorage.setItem('theme', next);
    return;
  }
  const copy = event.target.closest('[data-copy]');
  if (!copy) return;
  const text = document.getElementById(copy.dataset.copy).textContent;
  const said = copy.textContent;
  try {
    await navigator.clipboard.writeText(text);
    copy.textContent = 'Copied';
  } catch {
    copy.textContent = 'Press Ctrl+C';
    getSelection().selectAllChildren(document.getElementById(copy.dataset.copy));
  }
  setTimeout(() => { copy.textContent = said; }, 2000);
});

document.addEventListener('submit', (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

document.addEventListener('change', (event) => {
  if (event.target.matches('[data-submit-on-change]')) event.target.form.requestSubmit();
});

// A page that is kept for the way back must not keep a secret.
addEventListener('pagehide', () => {
  for (const secret of document.querySelectorAll('[data-secret]')) secret.textContent = 'no longer shown';
});
