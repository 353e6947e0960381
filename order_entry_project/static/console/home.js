// Puts fresh figures in the place of those shown, every few seconds while someone can see them.
"use strict";

const EVERY = 5000;
const PATIENCE = 12000;
const figures = document.getElementById("figures");
const freshness = document.getElementById("freshness");
const pause = document.getElementById("pause");
let paused = false;
let asking = false;

async function fetched() {
  const answer = await fetch(figures.dataset.source, {
    redirect: "manual",
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (answer.type === "opaqueredirect") {
    throw new Error("You are logged out: load the page again to log in.");
  }
  if (!answer.ok) {
    throw new Error("The console does not answer: SQL may be away.");
  }
  return answer.text();
}

function show(html) {
  const focused = figures.contains(document.activeElement) ? document.activeElement.id : "";
  figures.innerHTML = html;
  if (focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
  figures.classList.remove("console-stale");
  freshness.textContent = "";
}

function tell(error) {
  const known = error instanceof TypeError || error.name === "TimeoutError" ? "The console does not answer." : error.message;
  const at = figures.querySelector("[data-at]")?.dataset.at;
  figures.classList.add("console-stale");
  freshness.textContent = at ? `${known} These figures are of ${new Date(at).toLocaleTimeString()}.` : known;
}

async function refresh() {
  if (paused || asking || document.hidden) {
    return;
  }
  asking = true;
  try {
    show(await fetched());
  } catch (error) {
    tell(error);
  } finally {
    asking = false;
  }
}

if (figures) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    freshness.textContent = paused ? "Refreshing is paused." : "";
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, EVERY);
}
