const limitChars = 2000;

/** The last thing a runtime says is the reason; runc writes it as logrus fields, crun with a time before it. */
export function runtimeMessage(stderr: string): string {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  const logged = /level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"/.exec(last);
  const text = logged ? logged[1]!.replace(/\\(.)/g, "$1") : last.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z: /, "");
  // the reason comes last, after whatever it is about
  return text.length > limitChars ? `${text.slice(0, limitChars / 2)}…${text.slice(-limitChars / 2)}` : text;
}
