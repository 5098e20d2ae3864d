/** The server for agents, on the standard streams. */

import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { VERSION } from '../../core/version';
import { EngineClient } from '../../engine/client';
import { mcpServer } from './server';

const engine = new EngineClient({ version: VERSION });
const server = mcpServer({ cwd: process.cwd(), version: VERSION, engine });

function stop(): void {
  void engine.dispose().finally(() => process.exit());
}
process.stdin.on('close', stop);
process.on('SIGINT', stop);
process.on('SIGTERM', stop);

void server.connect(new StdioServerTransport());
