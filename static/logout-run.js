// A logout under way. An app that does not answer leaves this page standing: after a while it goes on without that app.
const skip = document.querySelector("a[data-skip]");
if (skip) setTimeout(() => location.replace(skip.href), Number(skip.dataset.skip) * 1000);
// Back from an app that did not send the person back, out of the browser's memory: ask for what comes next.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
