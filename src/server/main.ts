/** The language server for `*.quant.yaml`, over standard input and output or the channel of a forked process. */

import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { serve } from './connection';

// `--stdio`, `--node-ipc`, `--pipe=NAME` and `--socket=PORT` are read off the command line by the library.
serve(createConnection(ProposedFeatures.all));
