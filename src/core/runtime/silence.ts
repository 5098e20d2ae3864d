/**
 * Has to be imported before onnxruntime-node. Its builds for Linux and macOS send events about models and machine, and
 * keep an id of the device in the user's cache, unless this is set before they start (microsoft/onnxruntime#27379).
 */
process.env['ORT_DISABLE_TELEMETRY'] = '1';
