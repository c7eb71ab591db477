import { busyboxEntries, SHELL } from "../../hack/images/busybox.cjs";
import { type Compression, type Image, type Layer, makeImage, makeLayer } from "../../hack/images/image.cjs";

export {
  dockerArchive,
  type Image,
  type Index,
  type Layer,
  makeImage,
  makeIndex,
  makeLayer,
  ociArchive,
  sha256,
} from "../../hack/images/image.cjs";
export { type TarEntry, tar } from "../../hack/images/tar.cjs";

const layers = new Map<Compression, Layer>();

/** A layer with Debian's static busybox, made once. */
export function busyboxLayer(compression: Compression = "gzip"): Layer {
  const layer = layers.get(compression) ?? makeLayer(busyboxEntries("/bin/busybox"), compression);
  layers.set(compression, layer);
  return layer;
}

/** Busybox with further layers and configuration, such as a User or an Entrypoint. */
export function busyboxImage(config: Record<string, unknown> = {}, ...further: Layer[]): Image {
  return makeImage({ layers: [busyboxLayer(), ...further], config: { ...SHELL, ...config } });
}
