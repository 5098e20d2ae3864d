/** Where nobody's models, data and sources are: packages, results of runs, environments, git. */
export const NOT_SEARCHED = '{**/node_modules/**,**/*.quant/**,**/.venv/**,**/venv/**,**/site-packages/**,**/.git/**}';
