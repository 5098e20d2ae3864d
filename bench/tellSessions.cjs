// `NODE_OPTIONS="--require FILE"`: a line in the file SESSIONS_FILE for each session that onnxruntime opens.
const { appendFileSync } = require('node:fs');
require('node:diagnostics_channel').subscribe('quantscope:session-opened', ({ level, nodes, milliseconds }) => {
  appendFileSync(process.env.SESSIONS_FILE, `${level} ${nodes ?? 'file'} ${(milliseconds / 1000).toFixed(3)}\n`);
});
