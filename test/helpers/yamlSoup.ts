import fc from 'fast-check';

/** What YAML is made of, in any order: recipes half written, misspelt, nested wrongly, or not YAML at all. */
export function yamlSoup(mostTokens = 20): fc.Arbitrary<string> {
  const token = fc.constantFrom(
    ...['model: ', 'layers:', 'select: ', 'select: a', 'a', '3', '\n', '  ', '- ', ': ', '? ', ', ', '{', '}'],
    ...['[', ']', '&a ', '*a', '<<: ', '!!x ', '"', "'", '#', '|x'],
  );
  return fc.array(token, { maxLength: mostTokens }).map((tokens) => tokens.join(''));
}
