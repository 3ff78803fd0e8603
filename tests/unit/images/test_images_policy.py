"""The clean-up policy: what goes, in which order, and what never does."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidArgument
from core.images.policy import Disk, Policy, Uses, leaving
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.image import Descriptor, ImageConfig, RootFS
from core.storage.db import Database

DAY = 86400.0
NOW = 1_000_000 * DAY


def image(name: str, *tags: str, age: float = 0.0) -> Image:
    """An image that came into the store `age` days ago."""
    return Image(
        Digest.of(name.encode()),
        Descriptor(),
        ImageConfig(RootFS(())),
        100,
        tuple(f"docker.io/library/{tag}" for tag in tags),
        created_at=NOW - age * DAY,
    )


@pytest.fixture(scope="module")
def uses(tmp_path_factory: pytest.TempPathFactory) -> Uses:
    return Uses(Database(tmp_path_factory.mktemp("policy") / "db"))


def going(
    uses: Uses,
    policy: Policy,
    images: list[Image],
    *,
    in_use: Collection[str] = (),
    disk: Disk = Disk(1000, 500),  # noqa: B008
) -> list[tuple[str, str]]:
    sizes = {str(one.id): one.size for one in images}
    found = leaving(policy, images, uses=uses, in_use=in_use, disk=disk, sizes=sizes, now=NOW)
    return [(one.image.references[0].rpartition("/")[2], one.why) for one in found]


def test_what_was_not_used_for_long_goes_oldest_first(uses: Uses) -> None:
    images = [image("new", "n:1", age=1), image("old", "o:1", age=40), image("older", "p:1", age=90)]
    found = going(uses, Policy(unused_for=30 * DAY), images)
    assert found == [("p:1", "not used for 90 days"), ("o:1", "not used for 40 days")]
    assert going(uses, Policy(unused_for=30 * DAY), images, in_use={images[2].id}) == [
        ("o:1", "not used for 40 days")
    ]


def test_the_last_of_a_repository_stay(uses: Uses) -> None:
    images = [image(str(number), f"r:{number}", age=number) for number in range(1, 6)] + [
        image("x", "other:1", age=99)
    ]
    found = going(uses, Policy(keep=2), images, in_use={images[3].id})
    assert [name for name, _ in found] == ["r:5", "r:3"]


def test_an_image_that_is_new_under_any_name_stays(uses: Uses) -> None:
    images = [image("a", "r:1", "s:1", age=9), image("b", "r:2", age=1), image("nameless", age=50)]
    assert going(uses, Policy(keep=1), images) == []


def test_a_full_disk_takes_what_was_unused_longest_until_it_has_room(uses: Uses) -> None:
    images = [image(str(number), f"r{number}:1", age=number) for number in range(1, 6)]
    policy = Policy(high_water=90, low_water=75)
    assert going(uses, policy, images, disk=Disk(1000, 900)) == []
    found = going(uses, policy, images, disk=Disk(1000, 950))
    assert found == [("r5:1", "the disk is 95% full"), ("r4:1", "the disk is 95% full")]
    assert len(going(uses, policy, images, disk=Disk(100000, 99000), in_use={images[4].id})) == 4


def test_use_counts_and_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = Database(tmp_path / "db")
    uses = Uses(db)
    old = image("old", "o:1", age=90)
    assert uses.last(old) == 0.0
    monkeypatch.setattr("core.images.policy.time.time", lambda: NOW - DAY)
    uses.note(old.id)
    uses.policy = Policy(unused_for=30 * DAY, keep=3)
    again = Uses(db)
    assert again.last(old) == NOW - DAY
    assert again.policy == Policy(unused_for=30 * DAY, keep=3)
    assert going(again, again.policy, [old]) == []
    again.forget_all_but(())
    assert Uses(db).last(old) == 0.0


@pytest.mark.parametrize(
    "policy",
    [
        Policy(unused_for=-1),
        Policy(unused_for=59),
        Policy(keep=-1),
        Policy(high_water=101),
        Policy(high_water=50, low_water=60),
        Policy(low_water=10),
    ],
)
def test_numbers_without_sense_are_refused(policy: Policy) -> None:
    with pytest.raises(InvalidArgument):
        policy.checked()


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_nothing_in_use_ever_goes_and_nothing_without_a_policy(uses: Uses, data: st.DataObject) -> None:
    ages = data.draw(st.lists(st.floats(0, 100), max_size=8))
    images = [image(str(number), f"r{number % 3}:{number}", age=age) for number, age in enumerate(ages)]
    in_use = {one.id for one in images if data.draw(st.booleans())}
    policy = Policy(
        unused_for=data.draw(st.sampled_from([0.0, 3600.0, 30 * DAY])),
        keep=data.draw(st.integers(0, 3)),
        high_water=data.draw(st.sampled_from([0.0, 10.0, 90.0])),
    )
    disk = Disk(1000, data.draw(st.integers(0, 1000)))
    names = going(uses, policy, images, in_use=in_use, disk=disk)
    busy = {one.references[0].rpartition("/")[2] for one in images if one.id in in_use}
    assert not busy & {name for name, _ in names}
    assert len(set(names)) == len(names)
    if not policy.active:
        assert names == []
