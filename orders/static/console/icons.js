// unfold's icons are words in a font of their own: nobody is to have them read out amid other words.
"use strict";

const NAMES = { conversion_path: "Home", chevron_right: "Next", left_panel_open: "Navigation", dock_to_right: "Navigation" };

for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
  const word = icon.textContent.trim();
  const holder = icon.closest("a, button");
  if (holder && holder.textContent.trim() === word && !holder.hasAttribute("aria-label")) {
    holder.setAttribute("aria-label", NAMES[word] ?? word.replaceAll("_", " "));
  }
  icon.setAttribute("aria-hidden", "true");
}
