// Uploads a file with tus-js-client: node upload.mjs <installed> <options as JSON>; prints the upload's address.
// stop_after: abort after so many bytes and begin again with a new client, as a browser that was closed.
import { createRequire } from "node:module";
import fs from "node:fs";
import { PassThrough } from "node:stream";

const [installed, given] = process.argv.slice(2);
const tus = createRequire(installed + "/")("tus-js-client");
const options = JSON.parse(given);

function upload(more) {
  return new Promise((resolve, reject) => {
    let stopped = false;
    const file = fs.createReadStream(options.file);
    // Of a file this client (4.3.1) announces whole chunks also for the last one; of any other stream what there is.
    const client = new tus.Upload(options.defer ? file.pipe(new PassThrough()) : file, {
      endpoint: options.endpoint,
      headers: { Authorization: options.authorization },
      metadata: options.metadata,
      chunkSize: options.chunk_size,
      uploadSize: options.defer || options.parallel ? null : fs.statSync(options.file).size,
      uploadLengthDeferred: Boolean(options.defer),
      uploadDataDuringCreation: Boolean(options.with_creation),
      parallelUploads: options.parallel || 1,
      retryDelays: [100, 500, 1000, 2000],
      onError: reject,
      onSuccess: () => resolve(client.url),
      onChunkComplete: (_, accepted) => {
        if (!more.uploadUrl && options.stop_after && accepted >= options.stop_after && !stopped) {
          stopped = true;
          client.abort().then(() => resolve(client.url));
        }
      },
      ...more,
    });
    client.start();
  });
}

const address = await upload({});
if (options.stop_after) await upload({ uploadUrl: address });
if (options.terminate) await tus.Upload.terminate(address, { headers: { Authorization: options.authorization } });
console.log(address);
