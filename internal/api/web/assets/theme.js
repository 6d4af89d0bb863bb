// Runs before the first paint so that the stored theme and language do not flash.
(() => {
  const chosen = localStorage.getItem('theme');
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
  document.documentElement.dataset.language = localStorage.getItem('language') ?? 'curl';
  document.documentElement.dataset.script = 'on';
})();
