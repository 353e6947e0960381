// unfold's icons are words in a font of their own: nobody is to have them read out.
"use strict";

for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
  icon.setAttribute("aria-hidden", "true");
}
