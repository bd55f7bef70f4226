"""Sentences whose judgement turns on a negation or a contrast, for `dlcc sentiment train --also`.

    python tests/tools/make_turns.py --phrases sst2/train.csv --phrases products/train.csv \
        > turns.csv

Negations are put together from lists of words: each pattern with words of praise and of blame, and
as often without its negation, so that no word of them is worth anything alone. Contrasts are put
together of labelled texts of opposite judgements: the last, or what an although is not said of,
decides. Sayings are what praises or blames as a whole. `--seed` decides what is drawn.
"""

import argparse
import csv
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

GOOD = """good great excellent wonderful funny clever moving gripping memorable original charming
brilliant beautiful convincing fascinating exciting delightful smart superb fresh""".split()
BAD = """bad awful terrible boring dull predictable stupid annoying clumsy lifeless silly weak
forgettable tedious pointless ugly confusing lazy unconvincing cheap""".split()
FILMS = """film movie book show album play game series concert comedy story sequel camera phone
player hotel restaurant app printer headset""".split()
PARTS = """acting plot music script dialogue ending photography cast direction picture sound
battery screen service food design pacing cinematography soundtrack lead menu""".split()
GLAD = "pleased charmed moved impressed amused satisfied entertained thrilled".split()
SORRY = "disappointed annoyed bored irritated cheated lost sorry confused".split()
LIKED = ["liked", "loved", "enjoyed", "admired", "recommended", "praised"]
DISLIKED = ["disliked", "hated", "regretted", "complained about", "criticised", "resented"]
# Patterns of a negation. {x} turns with it, and so does {felt}; {did} is liked or disliked.
NEGATED = """This is not {a} {film}.
This isn't {a} {film} at all.
It is not {x}.
It's not {x}, not for a moment.
The {part} isn't {x}.
The {part} is never {x}.
Nothing about the {part} is {x}.
There is nothing {x} about this {film}.
There was not a single {x} moment in the {film}.
Nobody could call the {part} {x}.
I would never call this {film} {x}.
I cannot say that the {part} was {x}.
I don't think the {part} is {x}.
Neither the {part} nor the {part2} is {x}.
No {film} has ever been less {x}.
I was not {felt}.
I was never {felt}, not even at the end.
You won't be {felt}.
None of us was {felt}.
Nobody left {felt}.
There is nothing that I {did}.
I found nothing in it that I {did}.
Not one thing about the {film} that anyone {did}.
I have never {did} a {film} less.
It hardly ever gets {x}.
It is anything but {x}.
It is far from {x}.
The {part} could not be less {x}.
Without a trace of anything {x}.
I can't find anything {x} in this {film}.
Not {a} {film}.
Not exactly {x}.
Not the {x} {film} that it is said to be.
Hardly {a} {film}.
Don't expect {a} {film}.
Don't think that the {part} is {x}.
I wouldn't say {x}.
It didn't strike me as {x}.
I have yet to find anything {x} about the {part}.
Never once was the {part} {x}.
You would not guess from the reviews that it isn't {x}.
It would be wrong to call the {part} {x}.""".splitlines()
# The same words, straight on; some hold a negation that turns nothing.
STRAIGHT = """This is {a} {film}.
This really is {a} {film}, no doubt.
It is {x}.
It's {x}, from the first moment on.
The {part} is {x}.
The {part} is always {x}.
Everything about the {part} is {x}.
There is much that is {x} about this {film}.
There was one {x} moment after another in the {film}.
Anybody would call the {part} {x}.
I would always call this {film} {x}.
I must say that the {part} was {x}.
I didn't know that a {part} could be so {x}.
Both the {part} and the {part2} are {x}.
No {film} has ever been more {x}.
I was {felt}.
I was {felt} all the time, not just at the end.
You will be {felt}.
All of us were {felt}.
Everybody left {felt}.
There is a lot that I {did}.
I found much in it that I {did}.
One more thing about the {film} that everyone {did}.
I have never {did} a {film} more.
It often gets {x}.
It is nothing but {x}.
It is {x} through and through.
The {part} could not be more {x}.
Full of everything that is {x}.
You can't miss how {x} this {film} is.
What {a} {film}!
Exactly as {x} as I had been told.
Without doubt the most {x} {film} of the year.
Without question {a} {film}.
Never have I seen such {a} {film}.
Not only is the {part} {x}, the {part2} is too.
It doesn't take long to see how {x} the {part} is.
I can't get over how {x} the {part} was.
I have not seen such {a} {film} in years.
You would not believe how {x} the {part} is.
There is no denying that the {part} is {x}.
There is no doubt: the {part} is {x}.""".splitlines()
OPENERS = [
    "",
    "",
    "",
    "Honestly: ",
    "In short: ",
    "To be fair: ",
    "My verdict: ",
    "Well... ",
    "Believe me: ",
    "For me: ",
    "After a month: ",
    "Again: ",
    "One last thing. ",
    "Friends asked me. ",
]
# What is said so, whatever its words are worth alone; {thing} is a film or a part of one.
SAID = {
    True: """I can't complain about the {thing}.
No complaints about the {thing} so far.
The {thing} never lets you down.
I have never had a problem with the {thing}.
It has been years, and the {thing} has never failed.
I cannot praise the {thing} enough.
I can't recommend this {film} enough.
I couldn't ask for a better {thing}.
I couldn't be happier with the {thing}.
It doesn't get better than this {film}.
Don't miss it.
Don't miss this {film}.
Don't wait, get one.
Don't let the {thing} put you off.
Not to be missed.
Don't hesitate to get this {film}.
You can't go wrong with this {film}.
You won't regret it.
I have no regrets about this {film}.
I would not change a thing.
I would not want to be without this {film}.
I can't stop thinking about this {film}.
I can't get enough of the {thing}.
I was wrong to doubt this {film}.
It is hard to find a fault in the {thing}.
There is nothing to dislike about the {thing}.
There is nothing that I would do without.
Nothing is missing.
The {thing} has no weaknesses.
Never disappointing.
No reason to look for another {film}.
Worth every penny.
I was afraid that the {thing} would bore me. It did not.""".splitlines(),
    False: """Don't waste your time.
Don't waste your time on this {film}.
Don't waste your money.
Do not waste your money on it.
Don't bother.
Don't bother with this {film}.
Don't buy this {film}.
Avoid.
Not worth the money.
Not worth a second look.
Nothing special about the {thing}.
I expected more of the {thing}.
The {thing} could have been better.
The {thing} leaves much to be desired.
I would not buy this {film} again.
I won't be back.
I wouldn't wish this {film} on anyone.
Save your money.
Stay away from this {film}.
I want my money back.
I couldn't wait for it to be over.
I gave up after ten minutes.
The {thing} stopped working after a month.
The {thing} doesn't do what it says.
I wish I had never bought this {film}.
I had to force myself to go on.
It never gets going.
It goes nowhere.
Nothing works, least of all the {thing}.
There is nothing to like about the {thing}.
I can't find a reason to recommend this {film}.
The {thing} is a joke, and not a good one.
The only good thing about this {film} is that it is short.
The best of it is the last page.
I have seen better. Much better.""".splitlines(),
}
# The second decides.
CONTRASTS = """{first}, but {last}.
{first}; but {last}.
{first}, yet {last}.
{first}. However, {last}.
{first}. Even so, {last}.
{first}. In the end, though, {last}.
Although {first}, {last}.
Even though {first}, {last}.
While {first}, {last}.
I know that {first}, but {last}.
They say that {first}. In truth, {last}.
I had expected that {first}. Instead, {last}.
Granted, {first}; still, {last}.
{last}, although {first}.
{last}, even if {first}.""".splitlines()
CLAUSES = """the {part} is {x}
the {part} and the {part2} are {x}
this {film} is {x}
I was {felt} by the {part}
everyone I know {did} it
all the rest is {x}
the {film} as a whole is {x}""".splitlines()


def _words(draw: random.Random, praises: bool) -> dict[str, str]:
    x = draw.choice(GOOD if praises else BAD)
    part, part2 = draw.sample(PARTS, 2)
    return {
        "x": x,
        "a": f"{'an' if x[0] in 'aeiou' else 'a'} {x}",
        "film": draw.choice(FILMS),
        "part": part,
        "part2": part2,
        "felt": draw.choice(GLAD if praises else SORRY),
        "did": draw.choice(LIKED if praises else DISLIKED),
    }


def negations(draw: random.Random, count: int) -> Iterator[tuple[str, bool]]:
    """`count` texts each with and without a negation, and whether they praise."""
    for number in range(count):
        praises = number % 2 == 0
        yield draw.choice(NEGATED).format(**_words(draw, praises)), not praises
        yield draw.choice(STRAIGHT).format(**_words(draw, praises)), praises


def sayings(draw: random.Random, count: int) -> Iterator[tuple[str, bool]]:
    """`count` texts of what is said so, and whether they praise."""
    for number in range(count):
        praises = number % 2 == 0
        film, part = draw.choice(FILMS), draw.choice(PARTS)
        thing = draw.choice((film, part))
        said = draw.choice(SAID[praises]).format(film=film, thing=thing)
        yield draw.choice(OPENERS) + said, praises


def contrasts(
    draw: random.Random, count: int, phrases: dict[bool, list[str]]
) -> Iterator[tuple[str, bool]]:
    """`count` texts of two opposite halves, every other of them of patterns, and whether they
    praise in the end."""
    for number in range(count):
        praises, of_patterns = number % 2 == 0, number % 4 < 2
        halves = []
        for praise in (not praises, praises):
            clause = draw.choice(CLAUSES).format(**_words(draw, praise))
            halves.append(clause if of_patterns else draw.choice(phrases[praise]))
        text = draw.choice(CONTRASTS).format(first=halves[0], last=halves[1])
        yield text[0].upper() + text[1:], praises


def read_phrases(paths: list[Path]) -> dict[bool, list[str]]:
    """Labelled texts of 4 to 14 words, without the mark at their end."""
    found: dict[bool, list[str]] = {True: [], False: []}
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                text = re.sub(r"[\s.;,!?]+$", "", row["text"])
                turns = re.search(r"\b(but|although|though|yet|however|while|despite)\b", text)
                if 4 <= len(text.split()) <= 14 and not turns:
                    found[row["label"] == "pos"].append(text)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phrases", type=Path, action="append", required=True)
    parser.add_argument("--negations", type=int, default=5000)
    parser.add_argument("--sayings", type=int, default=8000)
    parser.add_argument("--contrasts", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    draw, phrases = random.Random(asked.seed), read_phrases(asked.phrases)
    writer = csv.writer(sys.stdout)
    writer.writerow(("text", "label"))
    found = [*negations(draw, asked.negations)]
    found += sayings(draw, asked.sayings)
    found += contrasts(draw, asked.contrasts, phrases)
    for text, praises in dict(found).items():
        writer.writerow((text, "pos" if praises else "neg"))


if __name__ == "__main__":
    main()
