/** What a file of `torch.save` or `torch.jit.save` holds, told from its first bytes: nothing of it is loaded. Pure. */

/** `unknown`: of a format before torch 1.6, or none of torch's. */
export type CheckpointKind = 'torchscript' | 'module' | 'weights' | 'unknown';

/** Reads so many bytes from an offset, fewer at the end of the file. */
export type ReadBytes = (offset: number, length: number) => Promise<Uint8Array>;

/** APPNOTE.TXT 6.3.10: the end of the central directory with its longest comment. */
const END_LENGTH = 22;
const LONGEST_COMMENT = 0xffff;
const SIGNATURES = { end: 0x06054b50, entry: 0x02014b50, local: 0x04034b50, end64: 0x06064b50, locator64: 0x07064b50 };
const IN_ZIP64 = 0xffffffff;
/** A directory with more entries than any model. */
const LONGEST_DIRECTORY = 2 ** 26;
const PICKLE_HEAD = 128;

interface Entry {
  readonly name: string;
  readonly offset: number;
}

/** @param size of the file in bytes */
export async function checkpointKind(read: ReadBytes, size: number): Promise<CheckpointKind> {
  const entries = await directory(read, size);
  if (entries.some(({ name }) => name.endsWith('/constants.pkl'))) return 'torchscript';
  const data = entries.find(({ name }) => name.endsWith('/data.pkl'));
  return data === undefined ? 'unknown' : pickleKind(await contents(read, data.offset));
}

async function directory(read: ReadBytes, size: number): Promise<Entry[]> {
  const from = Math.max(0, size - END_LENGTH - LONGEST_COMMENT);
  const tail = view(await read(from, size - from));
  let end = tail.byteLength - END_LENGTH;
  while (end >= 0 && tail.getUint32(end, true) !== SIGNATURES.end) end--;
  if (end < 0) return [];
  let length = tail.getUint32(end + 12, true);
  let offset = tail.getUint32(end + 16, true);
  if (offset === IN_ZIP64 || length === IN_ZIP64) {
    const locator = end - 20;
    if (locator < 0 || tail.getUint32(locator, true) !== SIGNATURES.locator64) return [];
    const end64 = view(await read(Number(tail.getBigUint64(locator + 8, true)), 56));
    if (end64.byteLength < 56 || end64.getUint32(0, true) !== SIGNATURES.end64) return [];
    length = Number(end64.getBigUint64(40, true));
    offset = Number(end64.getBigUint64(48, true));
  }
  return length > LONGEST_DIRECTORY ? [] : entriesOf(view(await read(offset, length)));
}

function entriesOf(bytes: DataView): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at + 46 <= bytes.byteLength && bytes.getUint32(at, true) === SIGNATURES.entry;) {
    const [name, extra, comment] = [28, 30, 32].map((field) => bytes.getUint16(at + field, true)) as [
      number,
      number,
      number,
    ];
    entries.push({ name: text(bytes, at + 46, name), offset: bytes.getUint32(at + 42, true) });
    at += 46 + name + extra + comment;
  }
  return entries;
}

/** torch stores without compression. */
async function contents(read: ReadBytes, offset: number): Promise<DataView> {
  const local = view(await read(offset, 30));
  if (local.byteLength < 30 || local.getUint32(0, true) !== SIGNATURES.local) return view(new Uint8Array());
  const start = offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  return view(await read(start, PICKLE_HEAD));
}

/** The first opcode behind the protocol's: an empty dictionary, or the global that is built (`pickletools.py`). */
function pickleKind(bytes: DataView): CheckpointKind {
  if (bytes.byteLength < 3 || bytes.getUint8(0) !== 0x80) return 'unknown';
  const rest = text(bytes, 2, bytes.byteLength - 2);
  if (rest.startsWith('}') || rest.startsWith('ccollections\nOrderedDict\n')) return 'weights';
  return rest.startsWith('c') ? 'module' : 'unknown';
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function text(bytes: DataView, offset: number, length: number): string {
  const part = new Uint8Array(bytes.buffer, bytes.byteOffset + offset, Math.min(length, bytes.byteLength - offset));
  return new TextDecoder('latin1').decode(part);
}
