"""Departments and pictures, read off a product's name: the catalogue itself holds no more than name and price."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """A part of the shop. `slug` stands in addresses."""

    slug: str
    name: str
    icon: str


KITCHEN = Department(slug="kitchen", name="Kitchen & table", icon="mug")
LIGHT = Department(slug="light", name="Light & candles", icon="lantern")
TEXTILE = Department(slug="textiles", name="Bags & textiles", icon="cushion")
PAPER = Department(slug="paper", name="Paper & play", icon="notebook")
GARDEN = Department(slug="garden", name="Garden", icon="plant")
HOME = Department(slug="home", name="Home & gifts", icon="parcel")
DEPARTMENTS = (KITCHEN, LIGHT, TEXTILE, PAPER, GARDEN, HOME)

# The first row with a word of the name decides; a word may end in "s".
_ROWS: tuple[tuple[Department, str, str], ...] = (
    (LIGHT, "candle", "candle taper tealight t-light holder wax incense"),
    (LIGHT, "lantern", "lantern"),
    (LIGHT, "bulb", "lamp light lampshade chandelier"),
    (TEXTILE, "bag", "bag tote satchel purse backpack lunchbag"),
    (TEXTILE, "cushion", "cushion pillow"),
    (TEXTILE, "cloth", "blanket throw towel apron scarf rug napkin quilt doily"),
    (KITCHEN, "mug", "mug cup teacup teapot saucer coffee tea egg"),
    (KITCHEN, "bowl", "bowl plate dish platter tray cakestand cake baking spoon jelly cutlery bread"),
    (KITCHEN, "jar", "jar bottle jug carafe flask glass tumbler vase tin storage"),
    (GARDEN, "plant", "plant planter pot seed garden trowel herb flower watering wreath bird feeder parasol"),
    (PAPER, "kite", "kite toy game puzzle doll bunting party balloon spinning skittles jigsaw playhouse"),
    (PAPER, "card", "card wrap sticker ribbon tape tissue"),
    (PAPER, "notebook", "notebook book journal diary pencil pen paper"),
    (HOME, "clock", "clock timer alarm watch"),
    (HOME, "frame", "frame mirror print sign picture wall block letter hook hanger drawer"),
    (HOME, "heart", "heart love charm necklace bracelet earrings ring soap bath"),
)
_BY_WORD = {
    word: (rank, department, icon) for rank, (department, icon, words) in enumerate(_ROWS) for word in words.split()
}
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)?")


def picture_of(name: str) -> tuple[Department, str]:
    """Department and icon for a product called `name`; a parcel among the gifts where no word is known."""
    found = [
        _BY_WORD[word]
        for written in _WORD.findall(name.casefold())
        for word in (written, written.removesuffix("s"), written.removesuffix("es"))
        if word in _BY_WORD
    ]
    if not found:
        return HOME, "parcel"
    _, department, icon = min(found, key=lambda row: row[0])
    return department, icon
