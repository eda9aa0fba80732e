// Runs the code on descriptor 3 and reports its results on descriptor 4.
'use strict';
(() => {
  const fs = require('fs');
  const util = require('util');
  const vm = require('vm');

  const name = 'cell.js';
  const textLimit = 4 << 20;
  const items = [];
  let failure = null;

  const source = fs.readFileSync(3, 'utf8');
  fs.closeSync(3);

  const clip = (s) =>
    s.length <= textLimit ? s : s.slice(0, textLimit) + `[… ${s.length - textLimit} characters left out]`;

  const represent = (value) => {
    const data = {};
    const bundle =
      value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype &&
      Object.keys(value).length > 0 && Object.keys(value).every((k) => /^[a-z]+\/[a-z0-9.+-]+$/.test(k));
    if (!bundle) {
      data['text/plain'] = clip(util.inspect(value));
      return data;
    }
    for (const [mime, v] of Object.entries(value)) {
      if (Buffer.isBuffer(v)) data[mime] = v.toString('base64');
      else if (typeof v === 'string') data[mime] = clip(v);
      else if (/^application\/.*json$/.test(mime)) data[mime] = v;
      else data[mime] = clip(String(v));
    }
    return data;
  };
  const show = (value, main) => items.push({ main, data: represent(value) });

  // The stack without the frames below the code's own.
  const stackOf = (err) => {
    const lines = String(err.stack).split('\n');
    const end = lines.findIndex((l) => /^\s+at .*(node:|\[eval\])/.test(l));
    return (end < 0 ? lines : lines.slice(0, end)).join('\n');
  };
  const fail = (err) => {
    if (failure !== null) return;
    const isError = util.types.isNativeError(err) || err instanceof Error;
    failure = {
      name: isError ? String(err.name) : 'Error',
      value: isError ? String(err.message) : util.inspect(err),
      traceback: isError && err.stack ? stackOf(err) : 'Uncaught ' + util.inspect(err),
    };
    console.error(failure.traceback);
    process.exitCode = 1;
  };

  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  process.on('exit', (code) => {
    if (failure === null && code !== 0) {
      failure = { name: 'ExitError', value: 'exit status ' + code, traceback: '' };
      console.error('ExitError: exit status ' + code);
    }
    let data;
    try {
      data = Buffer.from(JSON.stringify({ items, error: failure }));
    } catch (err) {
      data = Buffer.from(JSON.stringify({ items: [], error: { name: 'TypeError', value: String(err), traceback: '' } }));
    }
    for (let n = 0; n < data.length; ) {
      try {
        n += fs.writeSync(4, data, n);
      } catch (err) {
        if (err.code !== 'EAGAIN') throw err;
      }
    }
  });

  const options = { filename: name, importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER };
  // Code that is one object in braces is an object, as in the REPL. Code that
  // awaits at its top is the body of a function.
  const attempts = [source, `(async () => (${source}\n))()`, `(async () => {${source}\n})()`];
  if (/^\s*\{[^]*\}\s*$/.test(source)) attempts.unshift(`(${source}\n)`);
  const compile = () => {
    let first = null;
    for (const text of attempts) {
      if (text.startsWith('(async') && !/\bawait\b/.test(source)) continue;
      try {
        return new vm.Script(text, options);
      } catch (err) {
        if (text === source) first = err;
      }
    }
    throw first;
  };

  globalThis.display = (...values) => values.forEach((v) => show(v, false));
  process.argv = [process.argv[0]];
  (async () => {
    try {
      let value = compile().runInThisContext();
      if (util.types.isPromise(value)) value = await value;
      if (value !== undefined) show(value, true);
    } catch (err) {
      fail(err);
    }
  })();
})();
