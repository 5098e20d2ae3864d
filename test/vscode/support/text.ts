/** Texts of the workbench, as they are compared. */

/** Without the blanks that the workbench does not break at. */
export const plain = (text: string): string => text.replaceAll('\u00A0', ' ').trim();
/** Matches this text alone, whatever blanks stand around it. */
export const exactly = (text: string): RegExp =>
  new RegExp(`^\\s*${text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\s*$`);
export const matcher = (text: string | RegExp): RegExp => (typeof text === 'string' ? exactly(text) : text);
