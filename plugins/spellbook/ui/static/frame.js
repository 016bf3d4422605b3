// The pages are shown in a frame of Airflow's web UI: they follow its theme, and it opens links to its own pages, which
// the frame's sandbox doesn't allow.
"use strict";
if (window.parent !== window) {
  const outer = window.parent.document;
  const follow = () => {
    const scheme = getComputedStyle(outer.documentElement).colorScheme;
    document.documentElement.style.colorScheme = ["light", "dark"].includes(scheme) ? scheme : "";
  };
  follow();
  new MutationObserver(follow).observe(outer.documentElement, { attributes: true });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const copy = outer.createElement("a");
    copy.href = link.href;
    outer.body.append(copy);
    copy.click();
    copy.remove();
  });
}
