// Arrays out of JSON: what arrays.py packed.

const TYPES = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** The typed array of an array that was packed; rows lie one after the other. */
export async function unpack({ type, data }) {
  const inflating = new Blob([bytesOf(data)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new TYPES[type](await new Response(inflating).arrayBuffer());
}

/** The same of a map whose rows are kept as what differs from the row above. */
export async function unpackMap(packed) {
  const values = await unpack(packed);
  const width = packed.shape[1];
  for (let place = width; place < values.length; place += 1) values[place] ^= values[place - width];
  return values;
}

/** The rows of an array of two dimensions that was packed; null of null. */
export async function unpackRows(packed) {
  if (packed === null || packed === undefined) return null;
  const values = await unpack(packed);
  const [rows, columns] = packed.shape;
  return Array.from({ length: rows }, (_, row) => values.subarray(row * columns, (row + 1) * columns));
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place += 1) bytes[place] = text.charCodeAt(place);
  return bytes;
}
