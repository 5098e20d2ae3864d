import { QuantscopeError, toQuantscopeError } from './errors';
import { REPORT_VERSIONS, type LayerReport, type Report, type Status } from './report';

const STATUSES: ReadonlySet<unknown> = new Set<Status>(['quantized', 'float', 'fallback']);

/**
 * A report as it was written.
 * @param name of the file, for messages
 * @throws `report-invalid` for text that is no report, or one of another version
 */
export function parseReport(text: string, name: string): Report {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw toQuantscopeError(error, 'report-invalid');
  }
  if (!isObject(value) || !Array.isArray(value['layers'])) {
    throw new QuantscopeError('report-invalid', `${name} is no report.`);
  }
  if (!(REPORT_VERSIONS as readonly unknown[]).includes(value['version'])) {
    const found = JSON.stringify(value['version']);
    throw new QuantscopeError(
      'report-invalid',
      `${name} has version ${found}; this program reads ${REPORT_VERSIONS.join(' and ')}.`,
    );
  }
  const odd = value['layers'].findIndex((layer) => !isObject(layer) || !STATUSES.has(layer['status']));
  if (odd >= 0) throw new QuantscopeError('report-invalid', `${name} is damaged: its layer ${odd} has no status.`);
  // Written by this program, whose types guarantee the rest.
  return withOneLatency(value as unknown as Report);
}

/** Earlier versions wrote a quotient of their own beside the two times, which need not follow from them. */
function withOneLatency(report: Report): Report {
  const latency = report.latency ?? null;
  if (latency === null) return report;
  return { ...report, latency: { ...latency, ratio: latency.fp32 / latency.int8 } };
}

/** The kernel that ran, with the mode where that is the layer's own; `null` where the runtime removed or merged it. */
export function kernelName({ kernel, mode }: Pick<LayerReport, 'kernel' | 'mode'>): string | null {
  return kernel === null || mode === undefined ? kernel : `${kernel} (${mode})`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
