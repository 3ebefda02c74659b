"""Words that mean nothing as fragments."""

from __future__ import annotations

from typing import Final


def _set_of(words: str) -> frozenset[bytes]:
    return frozenset(words.encode().split())


# Ordinary short words and everyday abbreviations. A term pieced together from nothing but these needs stronger
# evidence: "her" + "o" + "in" stand next to each other in honest prose.
ORDINARY: Final = _set_of(
    """
    a ab able about ace act ad add after age ago ai aid aim air al all also am an and any api app are arm art as
    ash ask at ate ban bar base be bed bee been bi big bin bit boat bot body bomb book both box boy bud bug bus but
    buy by cab call can cap car card care case cat cell cent chat city co code cold come con cook cop corn cost
    cow cup cyan cut dad dark data date day db de dead deal den dev did die dig dim din dir dirty do doc dog don dot
    down dr dry due dust e eat ed edge eg el else em en end er era es et eu even ever ex eye fact fan far fast fat
    fee few file fill fin find fine fire first fit fix flag flow fly for form free from fun g gain game gap gas
    gel gem gene get gin gm go goal gold good got gram gun guy h had hair half hand hard has hat have he head heat
    help hen her here hero hi hid high hill him hint his hit ho hold home host hot hour how i ice id idea if ill
    im in index info ink inn into io ion ip iron is it item its ivy j jail jar job join key kid kill kin king kit
    la lab lady land last late law lay le lead led left leg let lid lie life like lime limit line link lip list
    lit live ll lo load loan lock log logger long look lot love low m mad made mail main make man map mar mark mat
    max may me meal mean men met mi mice mile mill min mind mine mint mite mix mo mob mod mode mom month more most
    move mr ms much mud my n name nap near need neon net never new news next nice nil nine no nod node non nor not
    note now nut o oak of off oil ok old on once one only op open or ore other our out over own ox p pa pack page
    pain pair pal pan paper par part pass past pat path pay pen per pet phone pi pic pie pin pine pipe pit place
    plan play plus pm pod point pool pop port post pot pox pray pre press price pro pub push put r race rain ram
    ran rat rate raw re read real red ref rent rest rice rich rid ride right ring rip rise risk road rob rock rod
    role room root row run s sad safe sail sale salt same sand sat save say sea sec see seed seek sell send set
    sex she shell ship shop short show sick side sign sin sip sir sit site six size ski skin sky slip small smart
    so sob soil sold son song soon sort sow soy spa star start state stay step sub such suit sum sun sure sys t
    tab table tag take tale talk tall tan tank tap tax tea team tell ten term test text th than that the them then
    there they thin thing this tie time tin tip tit to toe told tom ton too tool top tour tow town toxin toy tree
    trip true try tu turn two type u ui um un under unit up upon us use user v vain van vary vat ve very vest via
    view w wait walk wall want war ware warm was wash water wax way we web week well were west wet what when who
    why wide will win wind wine wire with wo word work world x y yard year yes yet you your z zip zone
    """
)

# Letters that must be in fragments that are no ordinary words.
_TELLING_LETTERS: Final = 4


def unusual(fragments: tuple[bytes, ...]) -> bool:
    """Whether it takes more than chance to find these fragments in one honest text."""
    letters = sum([len(fragment) for fragment in fragments if fragment not in ORDINARY])
    return letters >= _TELLING_LETTERS or (letters >= _TELLING_LETTERS - 1 and len(fragments) > 2)
