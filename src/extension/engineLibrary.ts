/** What speaks to the engine, in a file of its own: the RPC library is read with the first job, not at activation. */

export { EngineClient } from '../engine/client';
