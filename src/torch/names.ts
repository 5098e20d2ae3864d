export { modelName } from '../core/resultsFolder';
