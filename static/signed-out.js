// After a sign-out: on to the app as soon as the iframes have loaded. Without scripts the page moves on by its Refresh
// header, which waits for slow iframes, and by its button.
const onward = document.querySelector("a[data-onward]");
if (onward) {
  let gone = false;
  const go = () => {
    if (!gone) location.replace(onward.href);
    gone = true;
  };
  setTimeout(go, Number(onward.dataset.seconds) * 1000);
  if (onward.dataset.onward === "loaded") {
    if (document.readyState === "complete") go();
    else addEventListener("load", go);
  }
}
