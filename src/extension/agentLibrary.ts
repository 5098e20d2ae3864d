/** The tools for agents, in a file of their own: their schemas are larger than the rest of the extension. */

export { AGENT_TOOL_NAMES, AGENT_TOOLS, callTool } from '../shared/agents/tools';
