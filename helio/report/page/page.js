// Light or dark, as the reader's system has it until a button says otherwise; and the section that is being read.
"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;

  const apply = () => {
    root.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
    document.dispatchEvent(new Event("themechange"));
  };

  dark.addEventListener("change", apply);
  apply();

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.addEventListener("click", () => {
      chosen = root.dataset.theme === "dark" ? "light" : "dark";
      apply();
    });
    const links = new Map([...document.querySelectorAll("nav li a")].map((link) => [link.hash.slice(1), link]));
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const [name, link] of links) link.classList.toggle("here", name === entry.target.id);
      }
    }, { rootMargin: "-10% 0px -75% 0px" });
    for (const section of document.querySelectorAll("main section[id]")) seen.observe(section);
  });
})();
