// The script of every page: switches the theme and the language of samples, copies code, asks for confirmation before
// destructive actions, and removes secrets when the page is left.
const dark = () =>
  (document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';

// Marks the buttons of the language that samples are shown in.
const pressed = () => {
  for (const button of document.querySelectorAll('[data-choose-language]')) {
    button.ariaPressed = String(button.dataset.chooseLanguage === document.documentElement.dataset.language);
  }
};
pressed();

document.addEventListener('click', async (event) => {
  const theme = event.target.closest('[data-theme-switch]');
  if (theme) {
    const next = dark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = next;
    localStorage.setItem('theme', next);
    return;
  }
  const language = event.target.closest('[data-choose-language]');
  if (language) {
    const before = language.getBoundingClientRect().top;
    document.documentElement.dataset.language = language.dataset.chooseLanguage;
    localStorage.setItem('language', language.dataset.chooseLanguage);
    pressed();
    scrollBy(0, language.getBoundingClientRect().top - before); // samples above have other heights
    return;
  }
  const copy = event.target.closest('[data-copy]');
  if (!copy) return;
  const text = document.getElementById(copy.dataset.copy).textContent;
  const label = copy.textContent;
  try {
    await navigator.clipboard.writeText(text);
    copy.textContent = 'Copied';
  } catch {
    copy.textContent = 'Press Ctrl+C';
    getSelection().selectAllChildren(document.getElementById(copy.dataset.copy));
  }
  setTimeout(() => { copy.textContent = label; }, 2000);
});

document.addEventListener('submit', (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

document.addEventListener('change', (event) => {
  if (event.target.matches('[data-submit-on-change]')) event.target.form.requestSubmit();
});

// The back/forward cache must not keep a secret.
addEventListener('pagehide', () => {
  for (const secret of document.querySelectorAll('[data-secret]')) secret.textContent = 'hidden';
});
