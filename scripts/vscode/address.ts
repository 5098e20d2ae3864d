/** Address of a window of the server that has the folder open; none: an empty window. */
export function windowUrl(server: string, folder: string | undefined): URL {
  const url = new URL(server);
  if (folder === undefined) url.searchParams.set('ew', 'true');
  else url.searchParams.set('folder', folder);
  return url;
}
