// Owns how tests talk to the programs here: a command as a JSON line on stdin, its answer as one on stdout.
// What went wrong is an answer, too. ../features.py drives them all.
import { createInterface } from 'node:readline';

const described = (error) => ({
  code: error.code,
  // The OAuth error code: of the body, or of the first challenge in WWW-Authenticate.
  error: error.error ?? error.cause?.error ?? error.cause?.[0]?.parameters?.error,
  message: error.message,
  cause: String(error.cause?.message ?? ''),
  description: error.error_description,
  status: error.status ?? error.cause?.status,
  challenge: error.cause?.[0]?.scheme,
});

export async function serve(commands) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...asked } = JSON.parse(line);
    let answer;
    try {
      answer = { ok: (await commands[name](asked)) ?? {} };
    } catch (error) {
      answer = { error: described(error) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
}
