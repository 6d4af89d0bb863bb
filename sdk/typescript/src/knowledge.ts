import { Call, type ListCall } from './call.js';
import { AveltoError } from './errors.js';
import { type Body, type Item, type Query, Resource, type Result, segment } from './resource.js';
import type { KnowledgeJob } from './schema.gen.js';
import { type RequestOptions, wait } from './transport.js';

/** A file to upload. In Node.js, use `fs.openAsBlob` or `fs.createReadStream`. */
export type Uploadable = Blob | Uint8Array | ArrayBuffer | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Options of an upload. */
export interface UploadOptions extends RequestOptions {
  /** File name. Defaults to the name of a `File`. */
  name?: string;
  /** Media type. Defaults to the type of a `Blob`, or is derived from the file name. */
  contentType?: string;
}

/** Options for waiting for a job. */
export interface WaitOptions {
  signal?: AbortSignal;
  /** Maximum wait in milliseconds. No limit by default. */
  timeoutMs?: number;
  /** Called with the job after each poll. */
  onProgress?: (job: KnowledgeJob) => void;
}

/** The job failed or was cancelled. */
export class JobError extends AveltoError {
  override readonly name = 'JobError';
  readonly job: KnowledgeJob;

  constructor(job: KnowledgeJob) {
    super(job.error ? `The job failed: ${job.error.message}` : `The job was ${job.status.toLowerCase()}.`);
    this.job = job;
  }
}

/** The job didn't finish within `timeoutMs`. It keeps running. */
export class JobTimeoutError extends AveltoError {
  override readonly name = 'JobTimeoutError';
}

const largest = 10 * 1024 * 1024;
const firstPoll = 300;
const longestPoll = 5_000;

const types: Record<string, string> = {
  pdf: 'application/pdf', docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  html: 'text/html', htm: 'text/html', txt: 'text/plain', md: 'text/markdown', markdown: 'text/markdown',
};

/** Files and websites that agents use to answer questions. */
export class Knowledge extends Resource {
  /** Uploads a file of up to 10 MiB. A stream is buffered before it is sent, so that the upload can be retried. */
  upload(file: Uploadable, options: UploadOptions = {}): Call<Result<'uploadKnowledge'>> {
    const { name = nameOf(file), contentType, ...rest } = options;
    if (!name) throw new TypeError('The file name is missing. Pass it as { name }.');
    const type = contentType || (file instanceof Blob && file.type) || types[name.split('.').pop()!.toLowerCase()];
    if (!type) throw new TypeError('The media type is missing. Pass it as { contentType }.');
    const sent = gather(file, type).then((body) => this.one<'uploadKnowledge'>({
      method: 'POST', path: '/knowledge/upload', body, headers: { 'Content-Type': type, 'X-Original-Name': ascii(name) },
    }, rest).withResponse());
    return new Call(sent);
  }

  crawl(site: Body<'crawlKnowledge'>, options?: RequestOptions): Call<Result<'crawlKnowledge'>> {
    return this.one<'crawlKnowledge'>({ method: 'POST', path: '/knowledge/crawl', json: site }, options);
  }

  listJobs(query?: Query<'listKnowledgeJobs'>, options?: RequestOptions): ListCall<Item<'listKnowledgeJobs'>> {
    return this.many<'listKnowledgeJobs'>('/knowledge/jobs', query, options);
  }

  getJob(id: string, options?: RequestOptions): Call<Result<'getKnowledgeJob'>> {
    return this.one<'getKnowledgeJob'>({ method: 'GET', path: `/knowledge/jobs/${segment(id)}` }, options);
  }

  cancelJob(id: string, options?: RequestOptions): Call<Result<'cancelKnowledgeJob'>> {
    return this.one<'cancelKnowledgeJob'>({ method: 'POST', path: `/knowledge/jobs/${segment(id)}/cancel` }, options);
  }

  /** Polls a job until it completes. Throws JobError if the job fails or is cancelled, and JobTimeoutError after `timeoutMs`. */
  async waitForJob(id: string, options: WaitOptions = {}): Promise<KnowledgeJob> {
    const { signal, timeoutMs = Infinity, onProgress } = options;
    const end = Date.now() + timeoutMs;
    for (let pause = firstPoll; ; pause = Math.min(pause * 1.5, longestPoll)) {
      const job = await this.getJob(id, signal ? { signal } : {});
      onProgress?.(job);
      if (job.status === 'COMPLETED') return job;
      if (job.status === 'FAILED' || job.status === 'CANCELLED') throw new JobError(job);
      if (Date.now() + pause > end) throw new JobTimeoutError(`The job did not finish within ${timeoutMs} ms.`);
      await wait(pause, signal);
    }
  }

  listSources(query?: Query<'listKnowledgeSources'>, options?: RequestOptions): ListCall<Item<'listKnowledgeSources'>> {
    return this.many<'listKnowledgeSources'>('/knowledge/sources', query, options);
  }

  deleteSource(id: string, options?: RequestOptions): Call<Result<'deleteKnowledgeSource'>> {
    return this.one<'deleteKnowledgeSource'>({ method: 'DELETE', path: `/knowledge/sources/${segment(id)}` }, options);
  }

  refreshSource(id: string, options?: RequestOptions): Call<Result<'refreshKnowledgeSource'>> {
    return this.one<'refreshKnowledgeSource'>({ method: 'POST', path: `/knowledge/sources/${segment(id)}/refresh` }, options);
  }

  acceptedTypes(options?: RequestOptions): Call<Result<'listAcceptedTypes'>> {
    return this.one<'listAcceptedTypes'>({ method: 'GET', path: '/knowledge/accepted-types' }, options);
  }

  search(question: Body<'searchKnowledge'>, options?: RequestOptions): Call<Result<'searchKnowledge'>> {
    return this.one<'searchKnowledge'>({ method: 'POST', path: '/knowledge/search', json: question, readOnly: true }, options);
  }
}

function nameOf(file: Uploadable): string | undefined {
  return 'name' in file && typeof file.name === 'string' ? file.name : undefined;
}

/** Percent-encodes non-ASCII characters and the percent sign. */
function ascii(name: string): string {
  return name.replace(/[^ -$&-~]/gu, encodeURIComponent);
}

/** Converts any supported input to a Blob. */
async function gather(file: Uploadable, type: string): Promise<Blob> {
  if (file instanceof Blob) return file;
  if (file instanceof ArrayBuffer || ArrayBuffer.isView(file)) return new Blob([file as BlobPart], { type });
  const chunks: BlobPart[] = [];
  let size = 0;
  for await (const chunk of chunksOf(file)) {
    size += chunk.byteLength;
    if (size > largest) throw new RangeError('The file is larger than 10 MiB.');
    chunks.push(chunk as BlobPart);
  }
  return new Blob(chunks, { type });
}

/** Iterates over a stream. Not every runtime supports `for await` over a ReadableStream. */
async function* chunksOf(file: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (!('getReader' in file)) {
    yield* file;
    return;
  }
  const reader = file.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    await reader.cancel();
  }
}
