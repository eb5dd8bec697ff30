"""Compiled kernels: UTF-8 to own prose, words, sentences and cues, one text at a time.

The same rules as `segment` and `lexicon`, which are the reference: tests hold every number against
them. Compiled by numba on first use (a few seconds, kept on disk afterwards), single-threaded,
without the interpreter lock.
"""

import numba
import numpy as np

jit = numba.njit(cache=True, nogil=True)
small = numba.njit(cache=True, nogil=True, inline="always")
"""For steps so short that a call costs more than they do."""

WORD, SPACE = 1, 2
"""Bits of the table of characters: part of a word; white space."""

LITERAL, ANY_WORD, ANY_NUMBER = 1, 2, 4
"""Bits of a node of the trie: what kinds of branches it has."""

FILTER = 1 << 18
"""Slots of the filter of steps, a byte each."""

_OFFSET = np.uint64(14695981039346656037)
_PRIME = np.uint64(1099511628211)
_MIX = np.uint64(0x9E3779B97F4A7C15)

# Bytes that stand for what is not ASCII once a text is decoded.
LETTER, OPEN, CLOSE, OPEN_ANGLE, CLOSE_ANGLE, CURRENCY, OTHER = range(0x80, 0x87)


@jit
def decode(data, start, end, text, points, kinds):  # type: ignore[no-untyped-def]
    """UTF-8 to one folded byte a character in `text` and, if not all is ASCII, code points.

    Returns the number of characters, whether `points` was filled, and whether there is anything in
    the text that may not be own prose.
    """
    n = end - start
    special, high = 0, 0
    for i in range(n):
        b = data[start + i]
        text[i] = b
        high |= b
        special |= (b == 34) | (b == 96) | (b == 60) | (b == 62)
    if high < 0x80:
        return n, False, special != 0
    n, i = 0, start
    while i < end:
        b = np.int32(data[i])
        if b < 0x80:
            c = b
            i += 1
        elif b < 0xE0:
            c = ((b & 0x1F) << 6) | (np.int32(data[i + 1]) & 0x3F)
            i += 2
        elif b < 0xF0:
            c = ((b & 0x0F) << 12) | ((np.int32(data[i + 1]) & 0x3F) << 6)
            c |= np.int32(data[i + 2]) & 0x3F
            i += 3
        else:
            c = ((b & 0x07) << 18) | ((np.int32(data[i + 1]) & 0x3F) << 12)
            c |= ((np.int32(data[i + 2]) & 0x3F) << 6) | (np.int32(data[i + 3]) & 0x3F)
            i += 4
        if c == 0x2019 or c == 0x2018 or c == 0x02BC:
            c = 39
        elif c == 0x00A0 or c == 0x202F:
            c = 32
        elif c == 0x2010 or c == 0x2011:
            c = 45
        points[n] = c
        if c < 0x80:
            code = c
        elif c == 0x201C:
            code = OPEN
        elif c == 0x201D:
            code = CLOSE
        elif c == 0xAB:
            code = OPEN_ANGLE
        elif c == 0xBB:
            code = CLOSE_ANGLE
        elif c == 0xA3 or c == 0x20AC:
            code = CURRENCY
        elif kinds[c] & WORD:
            code = LETTER
        elif kinds[c] & SPACE:
            code = 31  # white space, but none of those that are looked for by name
        else:
            code = OTHER
        special |= (code == OPEN) | (code == OPEN_ANGLE)
        text[n] = code
        n += 1
    return n, True, special != 0


@small
def is_word(c):  # type: ignore[no-untyped-def]
    """Whether a byte of a decoded text is part of a word."""
    low = c | 32
    return (97 <= low <= 122 and c < 0x80) or 48 <= c <= 57 or c == LETTER


@small
def is_space(c):  # type: ignore[no-untyped-def]
    """Whether it is white space."""
    return c == 32 or 9 <= c <= 13 or 28 <= c <= 31


@small
def _blank(text, start, end):  # type: ignore[no-untyped-def]
    for i in range(start, end):
        if not is_space(text[i]):
            text[i] = 32


@jit
def _tag(text, n, i, closing):  # type: ignore[no-untyped-def]
    """Length of <think> or <thinking> (or its closing form) at i, 0 if none is there."""
    want = "</think" if closing else "<think"
    size = len(want)
    if i + size >= n:
        return 0
    for k in range(size):
        if text[i + k] != ord(want[k]):
            return 0
    if text[i + size] == 62:
        return size + 1
    if i + size + 3 < n and text[i + size] == 105 and text[i + size + 1] == 110:
        if text[i + size + 2] == 103 and text[i + size + 3] == 62:
            return size + 4
    return 0


@jit
def _foreign_end(text, n, i, quotations, limit):  # type: ignore[no-untyped-def]
    """Where what is not own prose ends that begins at i; i if nothing does."""
    c = text[i]
    if c == 60:  # <
        size = _tag(text, n, i, False)
        if size:
            j = i + size
            while j < n:
                if text[j] == 60:
                    size = _tag(text, n, j, True)
                    if size:
                        return j + size
                j += 1
            return n
    elif c == 96:  # `
        if i + 2 < n and text[i + 1] == 96 and text[i + 2] == 96:
            j = i + 3
            while j + 2 < n:
                if text[j] == 96 and text[j + 1] == 96 and text[j + 2] == 96:
                    return j + 3
                j += 1
            return n
        j = i + 1
        while j < n and text[j] != 96 and text[j] != 10:
            j += 1
        if j < n and text[j] == 96 and j > i + 1:
            return j + 1
    if (c == 62 or c == 32 or c == 9) and (i == 0 or text[i - 1] == 10):
        j = i
        while j < n and (text[j] == 32 or text[j] == 9):
            j += 1
        if j < n and text[j] == 62:
            while j < n and text[j] != 10:
                j += 1
            return j
    if quotations and (c == 34 or c == OPEN or c == OPEN_ANGLE):
        close = 34 if c == 34 else (CLOSE if c == OPEN else CLOSE_ANGLE)
        j = i + 1
        while j < n and j - i - 1 <= limit and text[j] != close and text[j] != c and text[j] != 10:
            j += 1
        if j < n and text[j] == close and 1 <= j - i - 1 <= limit:
            return j + 1
    return i


@jit
def own_prose(text, n, spare, limit):  # type: ignore[no-untyped-def]
    """Blank in place what `segment.own_prose` blanks."""
    spare[:n] = text[:n]
    for quotations in (True, False):
        i = 0
        while i < n:
            # Matched on the untouched copy: blanks must not make a new line start a quotation.
            end = _foreign_end(spare, n, i, quotations, limit)
            if end > i:
                _blank(text, i, end)
                i = end
            else:
                i += 1
        if not quotations:
            return
        for k in range(n):
            if is_word(text[k]):
                return
        text[:n] = spare[:n]


@jit
def _starts_sentence(text, start):  # type: ignore[no-untyped-def]
    low = max(0, start - 8)
    i = start - 1
    while i >= low:
        c = text[i]
        if c == 32 or c == 9 or c == 34 or c == 39 or c == 40 or c == 42 or c == 95:
            i -= 1
        else:
            return c == 46 or c == 33 or c == 63 or c == 58 or c == 10
    return True


@jit
def exact_hash(points, start, end):  # type: ignore[no-untyped-def]
    """Hash of a word as it is written; of bytes or of code points."""
    value, packed = _OFFSET, np.uint64(0)
    for k in range(start, end):
        packed = (packed << np.uint64(8)) ^ np.uint64(points[k])
        if (k - start) & 7 == 7:
            value = (value ^ packed) * _PRIME
            packed = np.uint64(0)
    value = (value ^ packed) * _PRIME
    return value ^ (value >> np.uint64(29))


@jit
def tokenize(text, n, wide, points, starts, ends, hashes, digits, gaps):  # type: ignore[no-untyped-def]
    """Words of own prose: spans, hashes, whether each begins with a digit, and whether nothing but
    white space and currency signs stands between it and the word before. Returns their number."""
    count, i = 0, 0
    gap = True
    while i < n:
        c = text[i]
        if not is_word(c):
            gap = gap and (c == 32 or is_space(c) or c == 36 or c == CURRENCY)
            i += 1
            continue
        start, highest = i, 0
        value, packed = _OFFSET, np.uint64(0)
        while True:
            highest |= c
            lower = c | 32 if c >= 65 else c
            packed = (packed << np.uint64(8)) ^ np.uint64(lower)
            if (i - start) & 7 == 7:
                value = (value ^ packed) * _PRIME
                packed = np.uint64(0)
            i += 1
            if i >= n:
                break
            c = text[i]
            if is_word(c):
                continue
            if not ((c == 39 or c == 45) and i + 1 < n and is_word(text[i + 1])):
                break
        value = (value ^ packed) * _PRIME
        value ^= value >> np.uint64(29)
        if highest >= 0x80:
            value = exact_hash(points, start, i)
        elif i - start == 3 and text[start] == 77 and text[start + 1] == 97:
            if text[start + 2] == 121 and not _starts_sentence(text, start):
                value = exact_hash(text, start, i)
        starts[count], ends[count], hashes[count] = start, i, value
        digits[count] = 48 <= text[start] <= 57
        gaps[count] = gap and count > 0
        gap = True
        count += 1
    return count


@small
def find(keys, values, key):  # type: ignore[no-untyped-def]
    """The value of a key in an open-addressing table, -1 if it has none; 0 marks an empty slot."""
    mask = np.uint64(len(keys) - 1)
    at = (key * _MIX >> np.uint64(20)) & mask
    while keys[at] != 0:
        if keys[at] == key:
            return values[at]
        at = (at + np.uint64(1)) & mask
    return np.int32(-1)


@jit
def fill(keys, values, key, value):  # type: ignore[no-untyped-def]
    """Put a key into such a table."""
    mask = np.uint64(len(keys) - 1)
    at = (key * _MIX >> np.uint64(20)) & mask
    while keys[at] != 0 and keys[at] != key:
        at = (at + np.uint64(1)) & mask
    keys[at] = key
    values[at] = value


@small
def step_key(node, word):  # type: ignore[no-untyped-def]
    """Key of a transition of the trie."""
    return (np.uint64(node + 1) << np.uint64(32)) | np.uint64(word + 1)


@small
def pair_bit(node, word):  # type: ignore[no-untyped-def]
    """Where a node and a word stand in the filter of steps."""
    mixed = np.uint64(node) * np.uint64(0x9E3779B1) + np.uint64(word) * np.uint64(0x85EBCA77)
    return (mixed >> np.uint64(7)) & np.uint64(FILTER - 1)


@small
def _single(words, gaps, count, at, branches, roots, steps):  # type: ignore[no-untyped-def]
    """Whether no entry of two words or more can begin at a word: most often so, and cheap to see."""
    root = roots[words[at]]
    if branches[root] == 0 or at + 1 == count or not gaps[at + 1]:
        return True
    after = words[at + 1]
    return branches[root] == LITERAL and (after == 0 or not steps[pair_bit(root, abs(after))])


@jit
def _longest(words, gaps, count, at, step_keys, step_values, named, branches, roots, stack):  # type: ignore[no-untyped-def]
    """Class and length of the longest entry that begins at a word; as `Lexicon._longest`.

    `words` are ids in the lexicon (0: none of its words, 1: any, 2: number), negative for a number
    word with an id of its own. Depth-first, the literal reading before `#` and `*`.
    """
    best, length, top = -1, 0, 0
    word = words[at]
    if word < 0 or word == 2:
        if roots[2] >= 0:
            stack[top, 0], stack[top, 1] = roots[2], at + 1
            top += 1
    if word != 2 and roots[abs(word)] >= 0:
        stack[top, 0], stack[top, 1] = roots[abs(word)], at + 1
        top += 1
    while top:
        top -= 1
        node, here = stack[top, 0], stack[top, 1]
        if named[node] >= 0 and here - at > length:
            best, length = named[node], here - at
        kinds = branches[node]
        if kinds == 0 or here == count or not gaps[here]:
            continue
        word = words[here]
        for k in range(3):
            if k == 0 and kinds & ANY_WORD:
                key = 1
            elif k == 1 and kinds & ANY_NUMBER and (word < 0 or word == 2):
                key = 2
            elif k == 2 and kinds & LITERAL and word != 2 and word != 0:
                key = abs(word)
            else:
                continue
            after = find(step_keys, step_values, step_key(node, key))
            if after >= 0 and top < len(stack):
                stack[top, 0], stack[top, 1] = after, here + 1
                top += 1
    return best, length


@jit
def match(  # type: ignore[no-untyped-def]
    words, gaps, count, step_keys, step_values, named, branches, roots, steps, stack, found
):  # fmt: skip
    """Cues: rows of class (0 is `not`), first word, last word. Returns their number."""
    n, at = 0, 0
    while at < count:
        word = words[at]
        if word == 0 or (word > 0 and roots[word] < 0):
            at += 1
            continue
        if word > 2 and _single(words, gaps, count, at, branches, roots, steps):
            best, length = np.int64(named[roots[word]]), 1
        else:
            best, length = _longest(
                words, gaps, count, at, step_keys, step_values, named, branches, roots, stack
            )
        if best < 0:
            at += 1
            continue
        if best > 0:
            found[n, 0], found[n, 1], found[n, 2] = best, at, at + length - 1
            n += 1
        at += length
    return n


@jit
def sentences(text, n, starts, count, cues, quiet, found):  # type: ignore[no-untyped-def]
    """Sentences with a word, and those in which a cue of a class that is not quiet begins."""
    total, cued, word, cue, i = 0, 0, 0, 0, 0
    while True:
        stop, after = n, n
        before = text[i - 1] if i > 0 else 0
        while i < n:
            c = text[i]
            if before == 46 or before == 33 or before == 63:
                j = i
                while j < n and (
                    text[j] == 34 or text[j] == 39 or text[j] == 41 or text[j] == 93
                    or text[j] == CLOSE
                ):  # fmt: skip
                    j += 1
                k = j
                while k < n and is_space(text[k]):
                    k += 1
                if k > j:
                    stop, after = i, k
                    break
            if c == 10:
                k = i
                while k < n and text[k] == 10:
                    k += 1
                stop, after = i, k
                break
            before = c
            i += 1
        held = False
        while word < count and starts[word] < stop:
            held = True
            word += 1
        hit = False
        while cue < found and starts[cues[cue, 1]] < stop:
            hit = hit or not quiet[cues[cue, 0]]
            cue += 1
        total += held
        cued += held and hit
        if after == n:
            # What is left after the last break, where there is a break at the very end, is empty.
            return total, cued
        i = after
