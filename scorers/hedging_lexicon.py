"""The hedging lexicon, version 1: cues, and the contexts in which a cue's words do not hedge.

Classes after Hyland (1998, *Hedging in Scientific Research Articles*) and Prince et al. (1982):
plausibility shields, attribution, epistemic modals and adverbs, and approximators. The words are
written down from general knowledge of English; no human-labelled set was read for them.

A cue is lower case; a space stands for any run of white space.
"""

MODALS = """
might
may
could
might well
may well
could well
may or may not
might or might not
"""

ADVERBS = """
maybe
perhaps
possibly
quite possibly
probably
very probably
most probably
presumably
apparently
seemingly
arguably
conceivably
plausibly
potentially
supposedly
reportedly
allegedly
likely
more likely
less likely
most likely
very likely
quite likely
more than likely
as likely as not
unlikely
hopefully
"""

ADJECTIVES = """
possible
it is possible
it's possible
quite possible
probable
plausible
conceivable
arguable
debatable
questionable
uncertain
unclear
unsure
not clear
not entirely clear
not obvious
not certain
not entirely certain
not completely certain
not sure
not entirely sure
not quite sure
not totally sure
not completely sure
not so sure
not fully convinced
not convinced
not necessarily
less certain
less clear
less sure
"""

SHIELDS = """
i think
i'd think
i would think
i believe
i feel
i feel like
i suspect
i'd suspect
i would suspect
i guess
i'd guess
i would guess
i suppose
i imagine
i'd imagine
i would imagine
i assume
i'd assume
i presume
i expect
i'd expect
i would expect
i reckon
i gather
i doubt
i wonder
i sense
i'd say
i would say
i'd argue
i would argue
i'd suggest
i would suggest
i'd lean
i would lean
i lean
i'm inclined
i am inclined
i tend to
i tend to think
i hesitate
i don't think
i do not think
i don't believe
i do not believe
i don't know
i do not know
i'm not aware
i cannot say for certain
i can't say for certain
i can't say for sure
i cannot say for sure
i can't be sure
i cannot be sure
i can't be certain
i cannot be certain
i could be wrong
i may be wrong
i might be wrong
i could be mistaken
i may be mistaken
i might be mistaken
i may be missing something
i might be missing something
i could be missing something
if i'm not mistaken
if i am not mistaken
if i had to guess
if i remember correctly
if i recall correctly
correct me if i'm wrong
we think
we believe
we suspect
we assume
my sense
my sense is
my impression
my guess
my best guess
my hunch
my suspicion
my feeling
my instinct
my intuition
my understanding
in my view
in my opinion
in my experience
in my judgement
in my judgment
in my estimation
to my mind
to my knowledge
from my perspective
from what i understand
from what i can tell
from what i know
from what i have seen
from what i've seen
as far as i know
as far as i can tell
as far as i can see
as far as i understand
as i understand it
as i see it
so far as i can tell
for what it's worth
for all i know
personally
"""

ATTRIBUTION = """
it seems
it would seem
it might seem
it appears
it would appear
it looks like
it looks as if
it looks as though
it feels like
seem
seems
seemed
seem to
seems to
seemed to
seems like
seem like
appear to
appears to
appeared to
appears that
appeared that
suggests that
suggest that
suggested that
suggests
suggest
points towards
indicates that
indicate that
it is said
some say
some argue
some would argue
some would say
some believe
some people think
many believe
is believed to
are believed to
is thought to
are thought to
is considered
are considered
"""

UNCERTAINTY = """
hard to say
hard to know
hard to tell
hard to predict
hard to be sure
difficult to say
difficult to know
difficult to tell
difficult to predict
difficult to be sure
tough to say
it depends
depends on
depends heavily on
depends largely on
there is a chance
there's a chance
there is a good chance
there's a good chance
chances are
the odds are
there is a possibility
there's a possibility
the possibility that
possibility
likelihood
probability
no guarantee
not guaranteed
no clear answer
no definitive answer
no definite answer
no single answer
no simple answer
no easy answer
no one-size-fits-all
remains to be seen
open question
who knows
for now
on balance
if anything
educated guess
rough guess
ballpark
uncertainty
tentative
tentatively
speculative
cautiously
not always
in theory
in principle
"""

APPROXIMATORS = """
roughly
approximately
around
about
somewhere around
somewhere between
something like
or so
give or take
more or less
almost
nearly
somewhat
slightly
relatively
fairly
rather
quite
sort of
kind of
a bit
partly
partially
in part
in some ways
in some sense
in a sense
in a way
to some extent
to some degree
to a degree
to a certain extent
to a large extent
to an extent
up to a point
by and large
for the most part
"""

FREQUENCY = """
usually
often
quite often
generally
generally speaking
in general
typically
commonly
frequently
normally
sometimes
occasionally
mostly
largely
mainly
at times
as a rule
in most cases
in many cases
in some cases
in certain cases
most of the time
some of the time
tend to
tends to
tended to
under certain circumstances
in certain situations
in some situations
"""

CUES: tuple[str, ...] = tuple(
    dict.fromkeys(
        cue
        for block in (
            MODALS,
            ADVERBS,
            ADJECTIVES,
            SHIELDS,
            ATTRIBUTION,
            UNCERTAINTY,
            APPROXIMATORS,
            FREQUENCY,
        )
        for cue in block.split("\n")
        if cue
    )
)
"""Every cue, each once."""

_QUANTITY = (
    r"(?:\d|[$£€]|(?:a|an|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|half|the same|"
    r"several|hundreds?|thousands?|millions?|billions?)\b)"
)

NOT_A_HEDGE: dict[str, tuple[str, str]] = {
    # cue: (what stands before, what stands after); either one that matches disowns the cue
    "may": (
        r"\b(?:in|of|by|last|next|early|late|since|until|this|from|mid)\s$",
        r"\s(?:i|we)\b|\s\d",
    ),
    "might": (r"\b(?:the|his|her|its|their|our|your|all|military|with)\s$", r"\s(?:of)\b"),
    "could": (
        r"\b(?:how|what|if only i|wish (?:i|you|we|they))\s$",
        r"\s(?:you|we|i)\b|\snot\b|\sn't",
    ),
    "possible": (
        r"\b(?:as \w+ as|as|not|isn't|if|whenever|wherever|where|when|best|worst|every|"
        r"makes? (?:it|this)|made (?:it|this)|all|everything)\s$",
        r"",
    ),
    "it is possible": (r"", r"\sto\b"),
    "it's possible": (r"", r"\sto\b"),
    "i think": (r"", r"\s(?:of|about)\b"),
    "i believe": (r"", r"\sin\b"),
    "we believe": (r"", r"\sin\b"),
    "i guess": (r"\bas\s$", r""),
    "about": (r"", rf"\s(?!{_QUANTITY})|\W*$|[^\w\s]"),
    "around": (
        r"\b(?:all|turn|turned|go|goes|get|way|work|other way)\s$",
        rf"\s(?!{_QUANTITY})|\W*$|[^\w\s]",
    ),
    "or so": (r"", r"\s(?:that|many|much)\b"),
    "rather": (r"\b(?:would|i'd|or|but)\s$", r"\sthan\b|,"),
    "quite": (r"\b(?:not)\s$", r"\s(?:a|the|clear|clearly|simply|certain|sure|right)\b"),
    "sort of": (r"\b(?:what|this|that|some|any|the|a|each|every|same|right|another|no)\s$", r""),
    "kind of": (r"\b(?:what|this|that|some|any|the|a|each|every|same|right|another|no)\s$", r""),
    "a bit": (r"\b(?:not|every|quite)\s$", r"\sof\b"),
    "i feel": (r"", r"\s(?:your|the pain|tired|happy|sad|sick|ill|good|better)\b"),
    "i expect": (r"", r"\syou\b"),
    "i doubt": (r"\b(?:no|never|don't)\s$", r""),
    "i wonder": (r"\bno\s$", r""),
    "i sense": (r"", r"\s(?:the|a|your)\b"),
    "i lean": (r"", r"\s(?:against the|over|back)\b"),
    "suggest": (r"\b(?:i|we|i'd|would|to|let me)\s$", r""),
    "suggest that": (r"\b(?:i|we|i'd|to)\s$", r"\s(?:you|we)\b"),
    "suggests": (r"\b(?:he|she)\s$", r""),
    "is considered": (r"", r"\sby\b"),
    "depends on": (r"\b(?:that|which|who)\s$", r""),
    "likelihood": (r"\b(?:no)\s$", r""),
    "uncertainty": (r"\b(?:no|without|zero|any|reduces?|remov(?:e|es|ing))\s$", r""),
    "uncertain": (r"\b(?:not|nothing)\s$", r""),
    "unclear": (r"\b(?:not|nothing|never)\s$", r""),
    "possibility": (r"\b(?:no|zero)\s$", r""),
    "probability": (r"\b(?:no|zero|high-|low-|of)\s$", r"\s(?:theory|distribution|mass|density)\b"),
    "questionable": (r"\b(?:not|nothing)\s$", r""),
    "debatable": (r"\b(?:not|hardly)\s$", r""),
    "hopefully": (r"\b(?:look|looked|wait|waited)\s$", r""),
    "often": (r"\b(?:how|as|too|so|more|enough)\s$", r"\s(?:enough|as)\b"),
    "for now": (r"", r"\sis\b"),
    "generally": (r"\bmore\s$", r""),
    "personally": (r"\b(?:you|him|her|them|it|know|knew|take it|took it|responsible)\s$", r""),
    "almost": (r"", r"\s(?:certainly|surely|always|never)\b"),
    "in a way": (r"", r"\s(?:that|which|to|no)\b"),
    "in principle": (r"\b(?:agree|agreed)\s$", r""),
}
"""Contexts that disown a cue: patterns on the text just before and just after it, lower case."""
