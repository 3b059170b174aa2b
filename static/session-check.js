// The session iframe (OpenID Connect Session Management 1.0, 3.2). An app posts "client_id session_state" to it and gets
// back "unchanged", "changed" or "error". SHA-256 by hand: crypto.subtle is absent where one of the frames is not https.
(() => {
  const fraction = (x) => ((x - Math.floor(x)) * 4294967296) | 0;
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  const start = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
  const round = primes.map((p) => fraction(Math.cbrt(p)));
  const turn = (x, n) => (x >>> n) | (x << (32 - n));

  const sha256 = (text) => {
    const bytes = [...new TextEncoder().encode(text)];
    const bits = bytes.length * 8;
    bytes.push(128);
    while (bytes.length % 64 !== 56) bytes.push(0);
    for (let shift = 56; shift >= 0; shift -= 8) bytes.push(Math.floor(bits / 2 ** shift) & 255);
    const hash = [...start];
    for (let at = 0; at < bytes.length; at += 64) {
      const w = [];
      for (let i = 0; i < 64; i++) {
        if (i < 16) {
          const b = at + 4 * i;
          w[i] = (bytes[b] << 24) | (bytes[b + 1] << 16) | (bytes[b + 2] << 8) | bytes[b + 3];
          continue;
        }
        const x = w[i - 15], y = w[i - 2];
        w[i] = (w[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + w[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10))) | 0;
      }
      let [a, b, c, d, e, f, g, h] = hash;
      for (let i = 0; i < 64; i++) {
        const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + round[i] + w[i]) | 0;
        const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
      }
      [a, b, c, d, e, f, g, h].forEach((value, i) => { hash[i] = (hash[i] + value) | 0; });
    }
    return hash.map((value) => (value >>> 0).toString(16).padStart(8, "0")).join("");
  };

  const browserState = () => {
    const name = (location.protocol === "https:" ? "__Host-" : "") + "sheaf_state=";
    const found = document.cookie.split("; ").find((cookie) => cookie.startsWith(name));
    return found ? found.slice(name.length) : "";
  };

  const judge = (said, origin) => {
    const [clientId, state, ...more] = typeof said === "string" && said.length <= 1000 ? said.split(" ") : [];
    const [hash, salt, ...rest] = (state || "").split(".");
    if (!clientId || !hash || !salt || more.length || rest.length || origin === "null") return "error";
    return sha256(`${clientId} ${origin} ${browserState()} ${salt}`) === hash ? "unchanged" : "changed";
  };

  addEventListener("message", (event) => {
    if (event.source === null || event.source === window || event.origin === "null") return;
    event.source.postMessage(judge(event.data, event.origin), event.origin);
  });
})();
