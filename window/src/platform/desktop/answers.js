// What wry's answers cannot be: a request that fails, and a body that comes in pieces (page.rs, stream.rs). The page's code
// sees what any browser would give it.
(() => {
  const pass = window.fetch.bind(window);
  // By the numbers of streams: what reads one, null where it is over, or what has come before anything reads it.
  const readers = new Map();
  const early = new Map();

  window.fetch = async (resource, options = {}) => {
    const response = await pass(resource, options);
    const { headers, status } = response;
    if (headers.has("x-ensafer-unanswered")) throw new TypeError(await response.text());
    const number = headers.get("x-ensafer-stream");
    return number === null ? response : new Response(stream(Number(number), options.signal), { status, headers });
  };

  function stream(number, signal) {
    return new ReadableStream({
      start(reader) {
        readers.set(number, reader);
        const come = early.get(number) ?? [];
        early.delete(number);
        come.forEach((piece) => give(number, piece));
        signal?.addEventListener("abort", () => end(number)?.error(signal.reason));
      },
      cancel() {
        end(number);
      },
    });
  }

  function end(number) {
    const reader = readers.get(number);
    readers.set(number, null);
    return reader;
  }

  function give(number, piece) {
    if (piece === null) end(number)?.close();
    else readers.get(number)?.enqueue(Uint8Array.from(piece, (byte) => byte.charCodeAt(0)));
  }

  // A piece is a string with a character for each byte, null the end.
  window.ensaferPiece = (number, piece) => {
    if (readers.has(number)) give(number, piece);
    else early.set(number, [...(early.get(number) ?? []), piece]);
  };
})();
