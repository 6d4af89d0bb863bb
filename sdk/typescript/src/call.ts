/** A call under way: await it for what it returns, or ask for the answer beside it. */
export class Call<T> implements Promise<T> {
  readonly [Symbol.toStringTag] = 'Call';
  readonly #both: Promise<{ data: T; response: Response }>;

  constructor(both: Promise<{ data: T; response: Response }>) {
    this.#both = both;
  }

  /** What the call returns, with the answer's status and headers. */
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

/** A page of a list: an array that knows whether there is more. */
export class Page<Item> extends Array<Item> {
  /** What is made of a page by map or filter is an array and no page. */
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

  /** Whether there is another page. */
  get hasNextPage(): boolean {
    return this.#next !== undefined;
  }

  /** The next page; undefined after the last. */
  nextPage(): ListCall<Item> | undefined {
    return this.#next?.();
  }
}

/** A list: await it for the first page, or loop over the items of all pages. */
export class ListCall<Item> extends Call<Page<Item>> implements AsyncIterable<Item> {
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for (let page: Page<Item> | undefined = await this; page; page = await page.nextPage()) yield* page;
  }
}
