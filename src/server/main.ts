/** The language server for `*.quant.yaml`, over standard input and output or the channel of a forked process. */
