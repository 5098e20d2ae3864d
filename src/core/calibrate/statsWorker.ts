/** The thread behind {@link WorkerSink}. */

import { parentPort } from 'node:worker_threads';
import { InlineSink, type SinkReply, type SinkRequest } from './sink';

const sink = new InlineSink();

parentPort?.on('message', (request: SinkRequest) => {
  void answer(request).then((reply) => parentPort?.postMessage(reply));
});

async function answer(request: SinkRequest): Promise<SinkReply> {
  if (request !== 'finish') {
    await sink.observe(request.sample, request.tensors);
    return 'observed';
  }
  return [...(await sink.finish())].map(([name, stats]) => [name, stats.toBytes()] as const);
}
