/** One way to authenticate that a server offers in a 401's WWW-Authenticate. */
export interface AuthChallenge {
  /** In lower case: "bearer", "basic". */
  scheme: string;
  /** Names in lower case. */
  parameters: Map<string, string>;
}

// more than any registry sends; what is longer is not read
const maxHeaderLength = 8192;

const lexeme = /\s*(?:([A-Za-z0-9!#$%&'*+.^_`|~-]+)(\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*)))?|(,))/y;

/** Parses WWW-Authenticate, several challenges in one header included (RFC 9110, section 11.6.1). Rubbish ends it. */
export function parseChallenges(header: string): AuthChallenge[] {
  const text = header.slice(0, maxHeaderLength);
  const challenges: AuthChallenge[] = [];
  lexeme.lastIndex = 0;
  for (let match = lexeme.exec(text); match && match[0] !== ""; match = lexeme.exec(text)) {
    const [, name, assignment, quoted, bare] = match;
    if (name === undefined) continue;
    if (assignment === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? bare ?? "");
  }
  return challenges;
}
