// Goes on with an action piece by piece, as pressing "Go on" would, until nothing is left or "Stop" is pressed.
// The page works without it. An action goes on by itself only in the tab in which it was decided.

const form = document.getElementById("go-on");

if (form) {
  const summary = document.getElementById("summary");
  const progress = document.getElementById("progress");
  const stop = document.getElementById("stop");
  const start = form.querySelector("button[type=submit]");
  const begun = `begun ${form.dataset.action}`;
  let going = false;

  const piece = async () => {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
    if (!answer.ok || !answer.headers.get("Content-Type").startsWith("application/json")) {
      throw new Error(`the server answered ${answer.status}`);
    }
    return answer.json();
  };

  const show = (isGoing) => {
    going = isGoing;
    start.hidden = isGoing;
    stop.hidden = !isGoing;
    (isGoing ? stop : start).focus();
  };

  const run = async () => {
    show(true);
    try {
      while (going) {
        const { left, summary: said } = await piece();
        progress.value = progress.max - left;
        summary.textContent = `${said}.`;
        if (!left) {
          sessionStorage.removeItem(begun);
          location.reload();
          return;
        }
      }
      summary.textContent = `Stopped: ${summary.textContent}`;
    } catch (error) {
      summary.textContent = `Stopped, ${error.message}: ${summary.textContent}`;
    }
    sessionStorage.removeItem(begun);
    show(false);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  stop.addEventListener("click", () => {
    going = false;
  });
  if (sessionStorage.getItem(begun)) {
    run();
  }
}

document.querySelector("form[data-begins]")?.addEventListener("submit", (event) => {
  sessionStorage.setItem(`begun ${event.target.dataset.begins}`, "yes");
});
