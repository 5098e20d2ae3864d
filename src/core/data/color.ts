/** Colour arithmetic of single pixels as Pillow does it, to the bit. */

/** ITU-R 601-2 luma in 16-bit fixed point: Pillow's mode `L` (libImaging/Convert.c). */
export function gray(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

const JFIF_BITS = 6;
const table = (factor: number): Int16Array =>
  Int16Array.from({ length: 256 }, (_, value) => Math.round(value * factor * 2 ** JFIF_BITS));
const RED = table(0.299);
const GREEN = table(0.587);
const BLUE = table(0.114);

/** The Y of JFIF YCbCr from rounded 6-bit tables: Pillow's mode `YCbCr` (libImaging/ConvertYCbCr.c). */
export function jfifY(red: number, green: number, blue: number): number {
  return (RED[red]! + GREEN[green]! + BLUE[blue]!) >> JFIF_BITS;
}

/** Inks to light without a profile: (255 − C)(255 − K) / 255 per colour, rounded as Pillow does (libImaging/Convert.c). */
export function cmykToRgb(inks: Uint8Array): Uint8Array {
  const pixels = inks.length / 4;
  const out = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const light = 255 - inks[i * 4 + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = inks[i * 4 + c]! * light + 128;
      out[i * 3 + c] = light - (((product >> 8) + product) >> 8);
    }
  }
  return out;
}
