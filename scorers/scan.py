"""Compiled kernels: UTF-8 to own prose, words, sentences and cues, one text at a time.

The same rules as `segment` and `lexicon`, which are the reference: tests hold every number against
them. Compiled by numba on first use (a few seconds, kept on disk afterwards), single-threaded,
without the interpreter lock.
"""

import numba
import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

INSTALLED = "site-packages" in __file__
"""Whether compiled code is kept on disk. Not in a checkout: numba looks only at the file that a
function stands in, and would go on with code of another file as it was before an edit."""

jit = numba.njit(cache=INSTALLED, nogil=True)
small = numba.njit(cache=INSTALLED, nogil=True, inline="always")
"""For steps so short that a call costs more than they do."""

WORD, SPACE = 1, 2
"""Bits of the table of characters: part of a word; white space."""

LITERAL, ANY_WORD, ANY_NUMBER = 1, 2, 4
WILD = ANY_WORD | ANY_NUMBER
"""Bits of a node of the trie: what kinds of branches it has."""

SPARE = 136
"""Bytes that a buffer of text is longer than the longest text, a multiple of 8."""

FILTER = 1 << 18
"""Slots of the filter of steps, a byte each."""

_PRIME = np.uint64(1099511628211)
_MIX = np.uint64(0x9E3779B97F4A7C15)

# Bytes that stand for what is not ASCII once a text is decoded.
LETTER, OPEN, CLOSE, OPEN_ANGLE, CLOSE_ANGLE, CURRENCY, OTHER = range(0x80, 0x87)


def _classes():  # type: ignore[no-untyped-def]
    table = np.zeros(256, np.uint8)
    for c in range(0x80):
        table[c] = chr(c).isalnum() * WORD
    table[LETTER] = WORD
    return table


CLASSES = _classes()
"""What a byte of a decoded text is."""


def _marks():  # type: ignore[no-untyped-def]
    table = np.zeros(256, np.bool_)
    table[[10, 34, 60, 96, OPEN, OPEN_ANGLE]] = True
    return table


MARKS = _marks()
"""Bytes at which, or after which, something that is not own prose can begin."""


_ONES = 0x0101010101010101
_TOP = 0x80 * _ONES


@small
def _zeros(block):  # type: ignore[no-untyped-def]
    """The top bit of each byte that is 0; eight bytes at a time."""
    low = np.uint64(0x7F7F7F7F7F7F7F7F)
    return ~(((block & low) + low) | block | low)


@jit
def decode(data, start, end, text, blocks, points, kinds):  # type: ignore[no-untyped-def]
    """UTF-8 to one folded byte a character in `text` and, if not all is ASCII, code points.

    Returns the number of characters, and whether there is anything in the text that may not be own
    prose. `text` is longer than the longest text by `SPARE` bytes: zeros end it.
    """
    n = end - start
    text[:n] = data[start:end]
    text[n : n + 72] = 0
    top, special, high = np.uint64(_TOP), np.uint64(0), np.uint64(0)
    for k in range((n >> 3) + 1):
        block = blocks[k]
        high |= block
        # < and > differ in one bit.
        angle = (block & np.uint64(0xFDFDFDFDFDFDFDFD)) ^ np.uint64(0x3C * _ONES)
        special |= _zeros(block ^ np.uint64(34 * _ONES)) | _zeros(block ^ np.uint64(96 * _ONES))
        special |= _zeros(angle)
    if not high & top:
        return n, special != 0
    special = np.uint64(special != 0)
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
        special |= np.uint64((code == OPEN) | (code == OPEN_ANGLE))
        text[n] = code
        n += 1
    text[n : n + 72] = 0
    return n, special != 0


@small
def is_word(c):  # type: ignore[no-untyped-def]
    """Whether a byte of a decoded text is part of a word."""
    return CLASSES[c] & WORD != 0


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
    if quotations and (c == 34 or c in (OPEN, OPEN_ANGLE)):
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
        i, line = 0, True
        while i < n:
            if not line and not MARKS[spare[i]]:
                i += 1
                continue
            # Matched on the untouched copy: blanks must not make a new line start a quotation.
            end = _foreign_end(spare, n, i, quotations, limit)
            if end > i:
                _blank(text, i, end)
                i = end
            else:
                i += 1
            line = spare[i - 1] == 10
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


@small
def _eight(blocks, start):  # type: ignore[no-untyped-def]
    """The eight bytes from a place on, which need not be the start of a block."""
    at, shift = start >> 3, np.uint64((start & 7) * 8)
    high = (blocks[at + 1] << np.uint64(1)) << (np.uint64(63) - shift)
    return (blocks[at] >> shift) | high


@small
def _mix(value, packed):  # type: ignore[no-untyped-def]
    mixed = (value ^ packed) * _PRIME
    return mixed ^ (mixed >> np.uint64(32))


@jit
def exact_hash(points, start, end):  # type: ignore[no-untyped-def]
    """Hash of a word as it is written; of bytes or of code points."""
    value, packed = np.uint64(end - start), np.uint64(0)
    for k in range(start, end):
        packed ^= np.uint64(points[k]) << np.uint64(((k - start) & 7) * 8)
        if (k - start) & 7 == 7 or k == end - 1:
            value = _mix(value, packed)
            packed = np.uint64(0)
    return value


@small
def _spread(block):  # type: ignore[no-untyped-def]
    """Eight bytes, of which only the top bits are set, to the eight bits of one byte."""
    return ((block >> np.uint64(7)) * np.uint64(0x0102040810204080)) >> np.uint64(56)


@small
def _between(block, low, high):  # type: ignore[no-untyped-def]
    """Top bit of each byte below 0x80 that lies in low..high."""
    ones, top = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
    plain = block & ~top
    over = plain + ones * np.uint64(0x80 - low)
    return over & ~(plain + ones * np.uint64(0x7F - high)) & ~block & top


@jit
def _masks(blocks, n, masks):  # type: ignore[no-untyped-def]
    """A bit a character, sixty-four in a row: part of a word; may end a sentence."""
    case, one, last = np.uint64(0x20 * _ONES), np.uint64(1), np.uint64(63)
    rows = (n >> 6) + 1
    before, joined_before = np.uint64(0), np.uint64(0)
    for row in range(rows):
        word, joiner, stop = np.uint64(0), np.uint64(0), np.uint64(0)
        for k in range(8):
            block, shift = blocks[row * 8 + k], np.uint64(8 * k)
            found = _between(block | case, 97, 122) | _between(block, 48, 57)
            found |= _zeros(block ^ np.uint64(_TOP))  # the byte 0x80, a letter that is not ASCII
            word |= _spread(found) << shift
            found = _zeros(block ^ np.uint64(39 * _ONES)) | _zeros(block ^ np.uint64(45 * _ONES))
            joiner |= _spread(found) << shift
            found = _zeros(block ^ np.uint64(46 * _ONES)) | _zeros(block ^ np.uint64(33 * _ONES))
            found |= _zeros(block ^ np.uint64(63 * _ONES)) | _zeros(block ^ np.uint64(10 * _ONES))
            stop |= _spread(found) << shift
        # A joiner belongs to the word if a word character stands on either side of it.
        masks[row, 0] = word | (joiner & ((word << one) | before) & (word >> one))
        masks[row, 1] = stop
        if joined_before & word:
            masks[row - 1, 0] |= one << last
        joined_before = (joiner >> last) & (word >> np.uint64(62)) & one
        before = word >> last
    return rows


@jit
def tokenize(text, n, points, blocks, masks, starts, ends, hashes, digits, gaps):  # type: ignore[no-untyped-def]
    """Words of own prose: spans, hashes, whether each begins with a digit, and whether nothing but
    white space and currency signs stands between it and the word before. Returns their number.

    `blocks` is `text` seen as 64-bit numbers; eight characters are looked at a time, as a branch
    for each would cost more than all the rest. What follows `text[:n]` must be 0 for 72 bytes.
    """
    rows = _masks(blocks, n, masks)
    count, done = 0, 0
    carry, one = np.uint64(0), np.uint64(1)
    for row in range(rows):
        mask = masks[row, 0]
        shifted = (mask << one) | carry
        carry = mask >> np.uint64(63)
        bits = mask & ~shifted
        while bits:
            starts[count] = row * 64 + trailing_zeros(bits)
            count += 1
            bits &= bits - one
        bits = ~mask & shifted
        while bits:
            ends[done] = row * 64 + trailing_zeros(bits)
            done += 1
            bits &= bits - one
    case, top = np.uint64(0x2020202020202020), np.uint64(0x8080808080808080)
    before = 0
    for k in range(count):
        start, end = starts[k], ends[k]
        size = end - start
        packed = _eight(blocks, start)
        if size < 8:
            packed &= (one << np.uint64(8 * size)) - one
        high = packed
        lower = packed | (case if size >= 8 else (case & ((one << np.uint64(8 * size)) - one)))
        value = _mix(np.uint64(size), lower)
        at = start + 8
        while at < end:
            packed = _eight(blocks, at)
            if end - at < 8:
                packed &= (one << np.uint64(8 * (end - at))) - one
                value = _mix(value, packed | (case & ((one << np.uint64(8 * (end - at))) - one)))
            else:
                value = _mix(value, packed | case)
            high |= packed
            at += 8
        if high & top:  # letters that are not ASCII: kept as they are written
            value = exact_hash(points, start, end)
        elif high == np.uint64(0x79614D):  # May
            if not _starts_sentence(text, start):
                value = exact_hash(text, start, end)
        hashes[k] = value
        digits[k] = 48 <= text[start] <= 57
        gap = True
        if start - before != 1 or text[before] != 32:
            for i in range(before, start):
                c = text[i]
                gap = gap and (is_space(c) or c == 36 or c == CURRENCY)
        gaps[k] = gap
        before = end
    gaps[0] = False
    return count


@small
def slot(keys, key):  # type: ignore[no-untyped-def]
    """Where the search for a key begins."""
    return (key * _MIX >> np.uint64(20)) & np.uint64(len(keys) - 1)


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
    words, gaps, count, step_keys, step_values, named, branches, roots, always, steps, stack, found
):  # fmt: skip
    """Cues: rows of class (0 is `not`), first word, last word. Returns their number."""
    # First, without a branch, the words where an entry can begin: those that are one, and those
    # whose pair with the next word begins one. Few of them are left to look at.
    likely = 0
    words[count] = 0
    for at in range(count):
        word = words[at]
        longer = steps[pair_bit(abs(word), abs(words[at + 1]))]
        found[likely, 0], found[likely, 1] = at, longer
        likely += always[abs(word)] | longer
    n, free = 0, 0
    for k in range(likely):
        at = found[k, 0]
        if at < free:
            continue
        word = words[at]
        node, here, best, length, plain = np.int32(-1), at + 1, np.int64(-1), 1, word > 2
        if plain:
            node = roots[word]
            best = np.int64(named[node])
            plain = not branches[node] & WILD
        # As long as no branch is a wild card there is one reading, and no need of a stack.
        go = plain and found[k, 1] != 0
        while go:
            word = words[here]
            go = branches[node] != 0 and here < count and gaps[here] and word != 0 and word != 2
            if not go:
                break
            node = find(step_keys, step_values, step_key(node, abs(word)))
            if node < 0:
                break
            here += 1
            if named[node] >= 0:
                best, length = np.int64(named[node]), here - at
            if branches[node] & WILD:
                plain = go = False
        if not plain:
            best, length = _longest(
                words, gaps, count, at, step_keys, step_values, named, branches, roots, stack
            )
        if best > 0:
            # Row n is at or before row k, which has been read.
            found[n, 0], found[n, 1], found[n, 2] = best, at, at + length - 1
            n += 1
        if best >= 0:
            free = at + length
    return n


@jit
def sentences(text, n, masks, starts, count, cues, quiet, found):  # type: ignore[no-untyped-def]
    """Sentences with a word, and those in which a cue of a class that is not quiet begins."""
    total, cued, word, cue, at, row = 0, 0, 0, 0, 0, 0
    bits, rows = masks[0, 1], (n >> 6) + 1
    while True:
        stop, after = n, n
        while stop == n:
            while bits == 0 and row + 1 < rows:
                row += 1
                bits = masks[row, 1]
            if bits == 0:
                break
            i = row * 64 + trailing_zeros(bits)
            bits &= bits - np.uint64(1)
            if i < at:  # a new line within the last break
                continue
            if text[i] == 10:
                stop = after = i
                while after < n and text[after] == 10:
                    after += 1
                break
            j = i + 1  # after . ! or ?, closing marks, then white space
            while j < n and (
                text[j] == 34 or text[j] == 39 or text[j] == 41 or text[j] == 93
                or text[j] == CLOSE
            ):  # fmt: skip
                j += 1
            k = j
            while k < n and is_space(text[k]):
                k += 1
            if k > j:
                stop, after = i + 1, k
                break
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
        if after >= n:
            return total, cued
        at = after
