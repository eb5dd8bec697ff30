"""Compiled features and model of the learned detectors; `features` is the reference."""

from math import exp, log1p, nan, sqrt

import numpy as np

from panelist.scorers.kernels import lexicon_words, longest_text
from panelist.scorers.scan import (
    SPARE,
    decode,
    find,
    is_space,
    is_word,
    jit,
    match,
    own_prose,
    small,
    tokenize,
)

N_NUMBERS = 27
WORDS, OPENS, LEADS, ENDS, CONTEXT_OPENS, CONTEXT_ENDS, GATE = range(7)
COUNTS, HEAD, LAST, CONTEXT_CUES, ASKED, UNPUNCTUATED, AFTER_QUESTION = range(7)


@small
def key(kind, first, second):  # type: ignore[no-untyped-def]
    """Key of a feature of one word, or of two."""
    value = first + np.uint64(kind + 1) * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    value = value + second
    return (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)


@small
def add(total, rows, row, value):  # type: ignore[no-untyped-def]
    """Add a feature's weights, if it has a row."""
    if row > 0:
        for k in range(len(total)):
            total[k] += value * rows[row, k]


@jit
def unique(values, n):  # type: ignore[no-untyped-def]
    """The first n values, sorted, each once."""
    found = np.sort(values[:n])
    size = 0
    for i in range(n):
        if i == 0 or found[i] != found[i - 1]:
            found[size] = found[i]
            size += 1
    return found[:size]


@jit
def common(a, b):  # type: ignore[no-untyped-def]
    """How many values two sorted arrays share."""
    i, j, n = 0, 0, 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            n += 1
            i += 1
            j += 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return n


@jit
def without(values, keys, marks):  # type: ignore[no-untyped-def]
    """The values that are not in a table, in order."""
    found = np.empty(len(values), np.uint64)
    n = 0
    for value in values:
        if find(keys, marks, value) < 0:
            found[n] = value
            n += 1
    return found[:n]


@jit
def pairs(hashes, start, count):  # type: ignore[no-untyped-def]
    """Keys of neighbouring words, sorted, each once."""
    made = np.empty(max(0, count - start - 1), np.uint64)
    for k in range(start, count - 1):
        made[k - start] = key(WORDS, hashes[k], hashes[k + 1])
    return unique(made, len(made))


@jit
def form(text, start, n):  # type: ignore[no-untyped-def]
    """Last character but for blanks and quotes, first one that is not white space, question marks,
    sentence ends, and whether there is: exclamation, point, spaced point, digit."""
    last, first, questions, ends = 0, 0, 0, 0
    exclaimed, pointed, spaced, digit = False, False, False, False
    within = False
    for i in range(start, n):
        c = text[i]
        if first == 0 and not is_space(c):
            first = c
        end = c == 46 or c == 33 or c == 63
        if end and not within:
            ends += 1
        within = end
        questions += c == 63
        exclaimed = exclaimed or c == 33
        if end or c == 44:
            pointed = True
            if i - start >= 2 and text[i - 1] == 32 and is_word(text[i - 2]):
                spaced = True
        digit = digit or 48 <= c <= 57
        if not (c == 32 or c == 9 or c == 10 or c == 34 or c == 39 or c == 41):
            last = c
    return last, first, questions, ends, exclaimed, pointed, spaced, digit


@jit
def score(  # type: ignore[no-untyped-def]
    data, offsets, context_data, context_offsets, kinds,
    word_keys, word_values, step_keys, step_values, named, branches, roots, always, steps, grades,
    keys, values, of_classes, of_numbers, rows,
    gate_keys, gate_values, _gate_classes, gate_numbers, gate_rows,
    filler_keys, filler_marks, empty_keys, empty_marks, window, limit, stack_size,
):  # fmt: skip
    """N probabilities."""
    n_texts, experts, n_classes = len(offsets) - 1, rows.shape[1], of_classes.shape[1]
    out = np.empty(n_texts)
    most = max(longest_text(offsets), longest_text(context_offsets))
    most = (most // 8 + 1) * 8 + SPARE
    text, spare = np.zeros(most, np.uint8), np.zeros(most, np.uint8)
    points = np.zeros(most, np.int32)
    starts, ends = np.zeros(most, np.int32), np.zeros(most, np.int32)
    words = np.zeros(most, np.int32)
    blocks, masks = text.view(np.uint64), np.zeros((most // 64 + 2, 2), np.uint64)
    hashes, theirs = np.zeros(most, np.uint64), np.zeros(window, np.uint64)
    digits, gaps = np.zeros(most, np.bool_), np.zeros(most, np.bool_)
    cues, stack = np.zeros((most, 3), np.int32), np.zeros((stack_size, 2), np.int64)
    counts = np.zeros(n_classes, np.int64)
    z, g, numbers = np.zeros(experts), np.zeros(experts), np.zeros(N_NUMBERS)
    for i in range(n_texts):
        z[:] = rows[-1]
        numbers[:] = 0.0
        # The turn before, its last words only.
        size, special = decode(
            context_data, context_offsets[i], context_offsets[i + 1], text, blocks, points, kinds
        )
        count = tokenize(text, size, points, blocks, masks, starts, ends, hashes, digits, gaps)
        skip = max(0, count - window)
        n_theirs = count - skip
        for k in range(n_theirs):
            theirs[k] = hashes[skip + k]
        their_pairs = pairs(hashes, skip, count)
        lexicon_words(hashes[skip:], digits[skip:], n_theirs, word_keys, word_values, words)
        found = match(
            words, gaps[skip:], n_theirs, step_keys, step_values, named, branches, roots, always,
            steps, stack, cues,
        )  # fmt: skip
        counts[:] = 0
        for k in range(found):
            counts[cues[k, 0]] = 1
        for c in range(1, n_classes):
            if counts[c]:
                add(z, rows, of_classes[CONTEXT_CUES, c], 1.0)
        asked_before = False
        if n_theirs:
            nothing = np.uint64(0)
            row = find(keys, values, key(CONTEXT_OPENS, theirs[0], nothing))
            add(z, rows, row, 1.0)
            row = find(keys, values, key(CONTEXT_ENDS, theirs[n_theirs - 1], nothing))
            add(z, rows, row, 1.0)
            last, first, questions, _, _, pointed, spaced, _ = form(text, starts[skip], size)
            asked_before = last == 63
            numbers[9], numbers[10] = questions > 0, asked_before
            numbers[23], numbers[24], numbers[25] = 65 <= first <= 90, pointed, spaced
        numbers[8], numbers[11] = log1p(n_theirs), n_theirs == 0
        their_words = unique(theirs, n_theirs)
        # The reply.
        size, special = decode(data, offsets[i], offsets[i + 1], text, blocks, points, kinds)
        if special:
            own_prose(text, size, spare, limit)
        count = tokenize(text, size, points, blocks, masks, starts, ends, hashes, digits, gaps)
        if count == 0:
            out[i] = nan
            continue
        lexicon_words(hashes, digits, count, word_keys, word_values, words)
        found = match(
            words,
            gaps,
            count,
            step_keys,
            step_values,
            named,
            branches,
            roots,
            always,
            steps,
            stack,
            cues,
        )
        own_words = unique(hashes, count)
        own_pairs = pairs(hashes, 0, count)
        _word_features(
            z, hashes, count, own_words, own_pairs, keys, values, rows, filler_keys, filler_marks
        )
        at = 0
        while at < count and find(filler_keys, filler_marks, hashes[at]) >= 0:
            at += 1
        counts[:] = 0
        head, strength = 0, 0.0
        for k in range(found):
            counts[cues[k, 0]] += 1
            strength += grades[cues[k, 0]]
            if head == 0 and at < count and cues[k, 1] <= at <= cues[k, 2]:
                head = cues[k, 0]
        for c in range(1, n_classes):
            if counts[c]:
                add(z, rows, of_classes[COUNTS, c], log1p(100 * counts[c] / (20 + count)))
        if found and cues[found - 1, 2] == count - 1:
            add(z, rows, of_classes[LAST, cues[found - 1, 0]], 1.0)
        last, first, questions, n_ends, exclaimed, pointed, spaced, digit = form(text, 0, size)
        content = without(own_words, empty_keys, empty_marks)
        their_content = without(their_words, empty_keys, empty_marks)
        shared = common(content, their_content)
        numerals = 0
        for k in range(count):
            if digits[k]:
                theirs_too = hashes[k]
                hashes[numerals] = theirs_too
                numerals += 1
        own_numerals = unique(hashes, numerals)
        kept = common(own_numerals, their_words)
        numbers[0], numbers[1], numbers[2] = log1p(count), count <= 4, count > 25
        numbers[3], numbers[4] = questions > 0, last == 63
        numbers[5] = questions / max(1, n_ends)
        numbers[6], numbers[7] = exclaimed, not pointed
        numbers[12] = shared / max(1, len(content))
        numbers[13] = shared / max(1, len(their_content))
        numbers[14] = log1p(shared)
        numbers[15] = common(own_words, their_words) / len(own_words)
        numbers[16] = common(own_pairs, their_pairs) / max(1, len(own_pairs))
        numbers[17], numbers[18] = log1p(len(own_numerals) - kept), log1p(kept)
        numbers[19], numbers[20] = 65 <= first <= 90, last == 46
        numbers[21], numbers[22] = spaced, digit
        numbers[26] = strength / (1 + count / 20)
        add(z, rows, of_classes[HEAD, head], 1.0)
        if questions:
            add(z, rows, of_classes[ASKED, head], 1.0)
        if not pointed:
            add(z, rows, of_classes[UNPUNCTUATED, head], 1.0)
        if asked_before:
            add(z, rows, of_classes[AFTER_QUESTION, head], 1.0)
        for k in range(N_NUMBERS):
            add(z, rows, of_numbers[k], numbers[k])
        _gate(g, own_words, their_words, numbers, gate_keys, gate_values, gate_numbers, gate_rows)
        top, total, mixed = g.max(), 0.0, 0.0
        for k in range(experts):
            odds = exp(g[k] - top)
            total += odds
            mixed += odds / (1 + exp(-max(z[k], -700.0)))
        out[i] = mixed / total
    return out


@jit
def _word_features(  # type: ignore[no-untyped-def]
    z, hashes, count, own_words, own_pairs, keys, values, rows, filler_keys, filler_marks
):  # fmt: skip
    nothing = np.uint64(0)
    for word in own_words:
        add(z, rows, find(keys, values, key(WORDS, word, nothing)), 1.0)
    for pair in own_pairs:
        add(z, rows, find(keys, values, pair), 1.0)
    add(z, rows, find(keys, values, key(OPENS, hashes[0], nothing)), 1.0)
    add(z, rows, find(keys, values, key(ENDS, hashes[count - 1], nothing)), 1.0)
    if count > 1:
        add(z, rows, find(keys, values, key(OPENS, hashes[0], hashes[1])), 1.0)
    first, seen = nothing, 0
    for k in range(count):
        if find(filler_keys, filler_marks, hashes[k]) >= 0:
            continue
        if seen == 0:
            first = hashes[k]
            add(z, rows, find(keys, values, key(LEADS, first, nothing)), 1.0)
        else:
            add(z, rows, find(keys, values, key(LEADS, first, hashes[k])), 1.0)
            break
        seen += 1


@jit
def _gate(g, own_words, their_words, numbers, keys, values, of_numbers, rows):  # type: ignore[no-untyped-def]
    g[:] = rows[-1]
    both = unique(np.concatenate((own_words, their_words)), len(own_words) + len(their_words))
    known = 0
    for word in both:
        known += find(keys, values, key(GATE, word, np.uint64(0))) >= 0
    if known:
        for word in both:
            add(g, rows, find(keys, values, key(GATE, word, np.uint64(0))), 1 / sqrt(known))
    for k in range(len(of_numbers)):
        add(g, rows, of_numbers[k], numbers[k])
