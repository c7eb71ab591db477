import { BerthError } from "../api/errors";
import { duringAtAskedPath } from "./asked-path";

const met = (code: string) => Object.assign(new Error(`${code}: it failed`), { code });

test("duringAtAskedPath() blames the path for what is wrong with it, and nothing else", () => {
  expect(duringAtAskedPath("opening /x", met("ENAMETOOLONG"))).toMatchObject({
    code: "InvalidArgument",
    message: "opening /x: ENAMETOOLONG: it failed",
  });
  expect(duringAtAskedPath("opening", met("ENOSPC")).code).toBe("ResourceExhausted");
  expect(duringAtAskedPath("opening", met("EIO")).code).toBe("Internal");
  expect(duringAtAskedPath("opening", new BerthError("NotFound", "none")).code).toBe("NotFound");
});
