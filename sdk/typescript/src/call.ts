/** A call in progress. Await it for the result, or use `withResponse` to also get the response. */
export class Call<T> implements Promise<T> {
  readonly [Symbol.toStringTag] = 'Call';
  readonly #both: Promise<{ data: T; response: Response }>;

  constructor(both: Promise<{ data: T; response: Response }>) {
    this.#both = both;
  }

  /** Returns the result together with the response and its status and headers. */
  withResponse(): Promise<{ data: T; response: Response }> {
    return this.#both;
  }

  then<A = T, B = never>(done?: ((data: T) => A | PromiseLike<A>) | null, failed?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<A | B> {
    return this.#both.then(({ data }) => data).then(done, failed);
  }

  catch<B = never>(failed?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, failed);
  }

  finally(done?: (() => void) | null): Promise<T> {
    return this.then().finally(done);
  }
}

/** One page of a list: an array with the methods to load the next page. */
export class Page<Item> extends Array<Item> {
  /** `map` and `filter` return a plain array instead of a page. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  #next: (() => ListCall<Item>) | undefined;

  static of_<Item>(items: Item[], next: (() => ListCall<Item>) | undefined): Page<Item> {
    const page = new Page<Item>();
    page.push(...items);
    page.#next = next;
    return page;
  }

  /** Whether there is a next page. */
  get hasNextPage(): boolean {
    return this.#next !== undefined;
  }

  /** Loads the next page. Returns undefined after the last page. */
  nextPage(): ListCall<Item> | undefined {
    return this.#next?.();
  }
}

/** A list. Await it for the first page, or use `for await` to iterate over the items of all pages. */
export class ListCall<Item> extends Call<Page<Item>> implements AsyncIterable<Item> {
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for (let page: Page<Item> | undefined = await this; page; page = await page.nextPage()) yield* page;
  }
}
