// More inputs out of the same images: the ten crops of Krizhevsky et al. 2012 (§4.1), four corners and the centre, each
// also mirrored. A share of ten times as many inputs is surer, if not √10 times, since crops of an image are alike.
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';

const CORNERS = { tl: [0, 0], tr: [1, 0], bl: [0, 1], br: [1, 1], c: [0.5, 0.5] };

/**
 * Writes the crops of a folder's images as PNG, once.
 * @param options.shorter pixels of the shorter side before cropping
 * @param options.size pixels of both sides of a crop
 * @returns the folder of the crops, and their labels in the same form as `labels`: `file<TAB>class index`
 */
export async function tenCrops(images, labels, to, { shorter, size }) {
  const folder = path.join(to, `crops-${path.basename(path.dirname(images))}-${path.basename(images)}-${size}`);
  const tsv = `${folder}.tsv`;
  if (fs.existsSync(tsv)) return { folder, labels: tsv };
  fs.mkdirSync(folder, { recursive: true });
  const lines = [];
  for (const line of fs.readFileSync(labels, 'utf8').trim().split('\n')) {
    const [file, label] = line.split('\t');
    const { data, info } = await sharp(path.join(images, file))
      .resize({ width: shorter, height: shorter, fit: 'outside' })
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    for (const [corner, [x, y]] of Object.entries(CORNERS)) {
      for (const mirrored of [false, true]) {
        const name = `${path.parse(file).name}.${corner}${mirrored ? '.mirrored' : ''}.png`;
        const place = { left: Math.floor(x * (info.width - size)), top: Math.floor(y * (info.height - size)) };
        const crop = sharp(data, { raw: info }).extract({ ...place, width: size, height: size });
        await crop.flop(mirrored).png({ compressionLevel: 1 }).toFile(path.join(folder, name));
        lines.push(`${name}\t${label}`);
      }
    }
  }
  fs.writeFileSync(tsv, `${lines.join('\n')}\n`);
  return { folder, labels: tsv };
}
