import type { Image, Index } from "./image.cjs";

/**
 * Pushes an image or index under each of the tags.
 * @param registry such as http://127.0.0.1:5000
 * @param headers sent with each request, such as authorization
 * @returns the digest that the tags name
 */
export function pushImage(
  registry: string,
  repository: string,
  tags: string[],
  image: Image | Index,
  headers?: Record<string, string>,
): Promise<string>;
