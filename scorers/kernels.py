"""Compiled loops over many texts, made of the steps in `scan`."""

from panelist.scorers.cues_fast import require_numba

require_numba()

import numpy as np  # noqa: E402

from panelist.scorers.scan import (  # noqa: E402
    ANY_NUMBER,
    ANY_WORD,
    FILTER,
    LITERAL,
    SPACE,
    SPARE,
    WORD,
    decode,
    fill,
    find,
    jit,
    match,
    own_prose,
    pair_bit,
    sentences,
    slot,
    tokenize,
)

__all__ = [
    "ANY_NUMBER",
    "ANY_WORD",
    "FILTER",
    "LITERAL",
    "SPACE",
    "WORD",
    "count_cues",
    "fill_all",
    "filter_steps",
]


@jit
def fill_all(slots, numbers, keys, values):  # type: ignore[no-untyped-def]
    """`scan.fill` for all keys."""
    for i in range(len(keys)):
        fill(slots, numbers, keys[i], values[i])


@jit
def filter_steps(pairs, steps):  # type: ignore[no-untyped-def]
    """Mark pairs of words in the filter that `scan.match` asks first."""
    for i in range(len(pairs)):
        steps[pair_bit(pairs[i, 0], pairs[i, 1])] = 1


@jit
def longest_text(offsets):  # type: ignore[no-untyped-def]
    """Bytes of the longest text."""
    most = 0
    for i in range(len(offsets) - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    return most


@jit
def lexicon_words(hashes, digits, count, word_keys, word_values, words):  # type: ignore[no-untyped-def]
    """Ids of words in a lexicon, as `scan._longest` takes them."""
    for k in range(count):
        key = hashes[k]
        at = slot(word_keys, key)
        there = word_keys[at]
        value = word_values[at] * np.int32(there == key)
        # Rare: the table of words is sparse. A branch on whether a word is known would be a coin's.
        if (there != key) & (there != 0):
            value = max(find(word_keys, word_values, key), np.int32(0))
        words[k] = value + 2 * np.int32(digits[k] & (value == 0))


@jit
def count_cues(  # type: ignore[no-untyped-def]
    data, offsets, kinds, word_keys, word_values, step_keys, step_values, named, branches,
    roots, always, steps, quiet, grades, window, limit, stack_size,
):  # fmt: skip
    """N x 6 numbers (as `CueColumns` has them), N x C counts and N strengths."""
    n = len(offsets) - 1
    numbers = np.zeros((n, 6), np.int32)
    counts = np.zeros((n, len(quiet) - 1), np.int32)
    strength = np.zeros(n)
    most = (longest_text(offsets) // 8 + 1) * 8 + SPARE
    text, spare = np.zeros(most, np.uint8), np.zeros(most, np.uint8)
    points = np.zeros(most, np.int32)
    starts, ends = np.zeros(most, np.int32), np.zeros(most, np.int32)
    words, hashes = np.zeros(most, np.int32), np.zeros(most, np.uint64)
    blocks, masks = text.view(np.uint64), np.zeros((most // 64 + 2, 2), np.uint64)
    digits, gaps = np.zeros(most, np.bool_), np.zeros(most, np.bool_)
    cues, stack = np.zeros((most, 3), np.int32), np.zeros((stack_size, 2), np.int64)
    for i in range(n):
        size, special = decode(data, offsets[i], offsets[i + 1], text, blocks, points, kinds)
        if special:
            own_prose(text, size, spare, limit)
        count = tokenize(text, size, points, blocks, masks, starts, ends, hashes, digits, gaps)
        lexicon_words(hashes, digits, count, word_keys, word_values, words)
        found = match(
            words, gaps, count, step_keys, step_values, named, branches, roots, always, steps,
            stack, cues,
        )  # fmt: skip
        loud, early = 0, 0
        for k in range(found):
            counts[i, cues[k, 0] - 1] += 1
            strength[i] += grades[cues[k, 0]]
            if not quiet[cues[k, 0]]:
                loud += 1
                early += cues[k, 1] < window
        total, cued = sentences(text, size, masks, starts, count, cues, quiet, found)
        numbers[i, 0], numbers[i, 1] = count, loud
        numbers[i, 2], numbers[i, 3] = total, cued
        numbers[i, 4], numbers[i, 5] = min(count, window), early
    return numbers, counts, strength
