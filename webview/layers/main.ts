/** The layer view: entry of the bundle. */
