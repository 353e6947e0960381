// A decision about many goes on by itself, one bounded step a request, until it is done or the page is left.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelector("form[data-continue]")?.requestSubmit();
});
