"""Names for containers that were given none: `adjective_noun`, from the potter's yard."""

from __future__ import annotations

import secrets
from collections.abc import Callable

ADJECTIVES = tuple(
    """
    amber ample aspen autumn azure bold brave breezy bright brisk calm celadon chilly clear clever coastal cobalt
    copper cosy crisp curious dapper dawn deep dewy earnest early eager easy evening fair fearless fervent fine firm
    foggy fond fresh gentle gifted glad glazed golden graceful grand great happy hardy hearty hidden honest humble
    hushed indigo ivory jade jolly joyful keen kiln kind lively lone lucid lucky lunar mellow merry mild misty
    modest morning mossy nimble noble olive open patient peaceful pearl pine plain proud quick quiet rapid ready
    ripe rosy round rustic salty scarlet serene shiny silent silver simple smooth snowy soft solid sound spry steady
    still stony sturdy summer sunny supple sure swift tender thrifty tidy tranquil true upbeat vivid warm white
    willing windy winter wise witty zesty
    """.split()  # noqa: SIM905
)
NOUNS = tuple(
    """
    anvil baduk bandi barley basin beacon bellows bowl brazier brook brush buchae buckwheat bukak camellia cedar
    chestnut clay cliff cloud cove crane creek dambi danggeun danpung doenjang dokkaebi ember ferry field firefly
    flute ganjang gaya geomungo ginkgo gochu goryeo grove haenyeo hallasan hanbok hangari hanji hanok harbor heron
    hwaro island jangdok jindo jogakbo jokduri jujube juniper kettle kiln kimchi ladle lantern lotus magpie maple
    meadow millet moon moonjar mortar mugunghwa mulberry namsan nurungji ocean oksusu ondol onggi orchard otter
    pagoda pebble persimmon pine plum pond potter quince rain reed ridge river saemaul salt samulnori sandal
    sanjo satgat seorak sesame sijo sikhye sool soban sotdae spring stone stream tide tiger toad tteok vessel
    vinegar wheel willow yakgwa yuja yut
    """.split()  # noqa: SIM905
)


def random_name(taken: Callable[[str], bool]) -> str:
    """A name for which `taken` says no; a number is added when the plain ones are used up."""
    for attempt in range(16):
        name = f"{secrets.choice(ADJECTIVES)}_{secrets.choice(NOUNS)}"
        if attempt > 4:
            name += str(secrets.randbelow(10 ** (attempt - 4)))
        if not taken(name):
            return name
    return f"onggi_{secrets.token_hex(6)}"
