"""Documents are cut into chunks: at headings first, then between paragraphs, then between sentences."""

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise

from byheart.documents.blocks import HEADER, ITEM, Block, Heading
from byheart.documents.languages.mixed import block_languages
from byheart.documents.languages.sentences import statements, trim
from byheart.documents.languages.tokens import LONGEST_TOKEN, count_tokens, token_starts
from byheart.documents.structure.outline import outline
from byheart.errors import Problem, UserError
from byheart.records import Chunk, Document

__all__ = ["Chunking", "content_ids", "count_tokens"]

Span = tuple[int, int]
WINDOW = 100_000  # characters of a sentence that are cut into tokens at once: a token takes a hundred bytes
LEAST_TOKENS = 16  # below this a heading leaves no room for text


@dataclass(frozen=True)
class Section:
    """Headings and the text under the last one. Cuts fall between `body` and `tail`, so no heading stands alone."""

    start: int
    body: int
    tail: int
    end: int
    headings: tuple[str, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Chunking:
    """Chunks of at most `max_tokens` tokens of the packaged tokenizer. No chunk crosses a heading; none overlap."""

    max_tokens: int = 256

    def __post_init__(self) -> None:
        if isinstance(self.max_tokens, bool) or not isinstance(self.max_tokens, int) or self.max_tokens < LEAST_TOKENS:
            what = f"must be a whole number of at least {LEAST_TOKENS}"
            raise UserError(Problem(what, "chunks.max_tokens", repr(self.max_tokens), "the default is 256"))

    def split(self, document: Document) -> list[Chunk]:
        """The document's chunks in order: `document.text[start:end] == text`; all that is not blank lies in one."""
        text = document.text
        spans: list[Span] = []
        sections: list[Section] = []
        for section in find_sections(document):
            cut = self._cut_section(text, section)
            spans += cut
            sections += [section] * len(cut)
        texts = [text[start:end] for start, end in spans]
        ids = content_ids(document.id, "chunk", texts)
        rows = zip(ids, sections, spans, texts, count_tokens(texts), strict=True)
        return [
            Chunk(id, document.id, section.headings, a, b, words, tokens, kinds_in(section, a, b))
            for id, section, (a, b), words, tokens in rows
        ]

    def _cut_section(self, text: str, section: Section) -> list[Span]:
        whole = trim(text, section.start, section.end)
        if all(fit(text, [whole], self.max_tokens)):
            return [whole]
        starts = [after.start for before, after in pairwise(section.blocks) if before.kind != HEADER]
        units = spread(section, starts, section.start, section.end)
        units = refine(text, units, self.max_tokens, lambda a, b: between_sentences(text, section, a, b))
        units = refine(text, units, self.max_tokens, lambda a, b: between_words(text, section, a, b, self.max_tokens))
        return self._pack(text, units, self.max_tokens)

    def _pack(self, text: str, units: list[Span], budget: int) -> list[Span]:
        """Neighbouring units joined while they fit."""
        packed: list[list[Span]] = []
        room = 0
        for unit, tokens in zip(units, count_tokens([text[a:b] for a, b in units]), strict=True):
            if packed and tokens <= room:
                packed[-1].append(unit)
            else:
                packed.append([unit])
                room = budget
            room -= tokens
        spans = [trim(text, group[0][0], group[-1][1]) for group in packed]
        counts = count_tokens([text[a:b] for a, b in spans])
        fitting: list[Span] = []
        for group, span, tokens in zip(packed, spans, counts, strict=True):
            # Tokens do not add up exactly across a seam: a chunk may come out a token or two too large.
            if tokens <= self.max_tokens:
                fitting.append(span)
            elif len(group) > 1:
                fitting += self._pack(text, group, budget - (tokens - self.max_tokens) - 1)
            else:
                middle = (span[0] + span[1]) // 2
                fitting += self._pack(text, [(span[0], middle), (middle, span[1])], budget)
        return [(start, end) for start, end in fitting if start < end]


def find_sections(document: Document) -> list[Section]:
    """A section for each heading that has text of its own; headings without go with the section below them."""
    shape = outline(document.text, document.title)
    sections: list[Section] = []
    path: list[Heading] = []
    start = 0
    ends = [heading.start for heading in shape.headings] + [len(document.text)]
    for index, end in enumerate(ends):
        if index:
            heading = shape.headings[index - 1]
            path = [above for above in path if above.level < heading.level] + [heading]
        first, last = (bisect_left(shape.blocks, place, key=lambda block: block.start) for place in (start, end))
        blocks = shape.blocks[first:last]
        if blocks:
            titles = tuple(heading.title for heading in path)
            sections.append(Section(start, blocks[0].start, end, end, titles, blocks))
            start = end
    if not sections:  # marks and rules only, no text: "***"
        first, last = trim(document.text, 0, len(document.text))
        return [Section(first, first, last, last, (), ())] if first < last else []
    sections[-1] = replace(sections[-1], tail=sections[-1].blocks[-1].end, end=len(document.text))
    return sections


def spread(section: Section, cuts: Iterable[int], start: int, end: int) -> list[Span]:
    """The part of a section from start to end, cut at those places that leave no heading alone."""
    inner = [cut for cut in cuts if max(start, section.body) < cut < min(end, section.tail)]
    return list(zip([start, *inner], [*inner, end], strict=True))


def blocks_in(section: Section, start: int, end: int) -> tuple[Block, ...]:
    """The blocks of which a part lies between these places."""
    first = bisect_right(section.blocks, start, key=lambda block: block.end)
    last = bisect_left(section.blocks, end, key=lambda block: block.start)
    return section.blocks[first:last]


def kinds_in(section: Section, start: int, end: int) -> dict[str, int]:
    return dict(Counter(block.kind for block in blocks_in(section, start, end)))


def between_sentences(text: str, section: Section, start: int, end: int) -> list[Span]:
    blocks = blocks_in(section, start, end)
    spans = [
        statements(text, block.body, block.end, block.kind == ITEM, language)
        for block, language in zip(blocks, block_languages(text, blocks), strict=True)
    ]
    return spread(section, (start for own in spans for start, _ in own[1:]), start, end)


def between_words(text: str, section: Section, start: int, end: int, budget: int) -> list[Span]:
    """A sentence too long for a chunk, cut at blanks, or anywhere if it has none."""
    cuts: list[int] = []
    first = start
    while first < end:
        last = min(end, first + max(WINDOW, budget * LONGEST_TOKEN))
        starts = [first + offset for offset in token_starts(text[first:last])]
        token = 0
        while len(starts) - token > budget:
            whole = range(token + budget, token + budget // 2, -1)
            token = next((at for at in whole if text[starts[at]].isspace()), token + budget)
            cuts.append(starts[token])
        first = starts[token] if token and last < end else last
    return spread(section, sorted(set(cuts)), start, end)


def refine(text: str, units: list[Span], budget: int, cut: Callable[[int, int], list[Span]]) -> list[Span]:
    """The same units, those that are too large cut further."""
    fitting = zip(units, fit(text, units, budget), strict=True)
    return [finer for unit, fits in fitting for finer in ([unit] if fits else cut(*unit))]


def fit(text: str, spans: Sequence[Span], budget: int) -> list[bool]:
    """Whether each span has at most so many tokens. What is far too long is not counted: that would take seconds."""
    counted = [span for span in spans if span[1] - span[0] <= budget * LONGEST_TOKEN]
    tokens = dict(zip(counted, count_tokens([text[a:b] for a, b in counted]), strict=True))
    return [tokens.get(span, budget + 1) <= budget for span in spans]


def content_ids(prefix: str, kind: str, texts: Sequence[str]) -> list[str]:
    """An id for each text, from its content and not its place; repeated texts are numbered."""
    ids: list[str] = []
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for text in texts:
        for number in count(counts.get(text, 0)):
            content = f"{kind}\0{number}\0{text}".encode("utf-8", "surrogatepass")
            key = hashlib.blake2b(content, digest_size=5).hexdigest()
            if key not in taken:
                break
        taken.add(key)
        counts[text] = number + 1
        ids.append(f"{prefix}:{key}")
    return ids
