"""Names, ids and who may be removed: the store without any layer."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_kit import config_of

from core.errors import BadReference, ImageInUse, InvalidArgument, NoSuchImage
from core.images.layers import Layers
from core.images.load import store_manifest
from core.images.removal import Remover
from core.images.store import ImageStore, NewImage
from core.oci.digest import Digest
from core.oci.document import decode
from core.oci.image import ImageConfig
from core.oci.reference import Reference
from core.paths import Paths
from core.storage.content import ContentStore
from core.storage.db import Database


class Room:
    def __init__(self, root: Path) -> None:
        self.paths = Paths(root / "root", root / "run")
        self.open()

    def open(self) -> None:
        self.db = Database(self.paths.database)
        self.content = ContentStore(self.paths)
        self.layers = Layers(self.db)
        self.store = ImageStore(self.db, self.content)

    def add(self, author: str, *tags: str) -> Digest:
        data = config_of([], author=author)
        self.content.put(data)
        config = decode(data, ImageConfig, what="config")
        manifest = store_manifest(self.content, self.layers, data, ())
        references = tuple(Reference.parse(tag).with_default_tag() for tag in tags)
        self.store.register([NewImage(Digest.of(data), manifest, config, 7, references)])
        return Digest.of(data)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_an_image_is_found_by_all_its_names(room: Room) -> None:
    ident = room.add("x", "busybox", "me/x:2")
    texts = ("busybox", "busybox:latest", "docker.io/library/busybox", "me/x:2", ident, ident.hex, ident.hex[:12])
    for text in (*texts, f"sha256:{ident.hex[:9]}"):
        assert room.store.find(text).id == ident


@pytest.mark.parametrize(
    ("text", "shown"),
    [("nope", "nope:latest"), ("busybox:2", "busybox:2"), ("0" * 64, "0" * 64), ("x.io/a", "x.io/a:latest")],
)
def test_what_is_not_there_is_named_as_docker_does(room: Room, text: str, shown: str) -> None:
    room.add("x", "busybox")
    with pytest.raises(NoSuchImage) as caught:
        room.store.find(text)
    assert str(caught.value) == f"No such image: {shown}"


def test_a_name_goes_before_the_beginning_of_an_id(room: Room) -> None:
    first = room.add("x")
    second = room.add("y", first.hex[:6])
    assert room.store.find(first.hex[:6]).id == second
    with pytest.raises(BadReference):
        room.store.find("Bad")


def test_a_beginning_of_several_ids_is_told(room: Room) -> None:
    idents = [room.add(f"author {number}") for number in range(17)]
    digits = [ident.hex[0] for ident in idents]
    twice = next(digit for digit in digits if digits.count(digit) > 1)
    with pytest.raises(InvalidArgument, match="multiple IDs"):
        room.store.find(twice)


def test_a_tag_moves_and_everything_lasts(room: Room) -> None:
    first, second = room.add("x", "a:1", "b:1"), room.add("y", "a:1")
    for _ in range(2):
        assert room.store.find("a:1").id == second
        assert room.store.find(first).references == ("docker.io/library/b:1",)
        assert len(room.store.all()) == 2
        room.db.close()
        room.open()


def test_a_damaged_config_costs_one_image_only(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    first, second = room.add("x", "a:1"), room.add("y", "b:1")
    room.content.path(first).chmod(0o600)
    room.content.path(first).write_bytes(b"{}")
    room.db.close()
    room.open()
    assert [image.id for image in room.store.all()] == [second]
    assert f"image {first} is unusable" in caplog.text


def remove(
    room: Room, text: str, *, force: bool = False, users: tuple[str, ...] = (), running: bool = False
) -> list[dict[str, str]]:
    remover = Remover(room.store, in_use=lambda ident: users, running=lambda user: running)
    return remover.remove(text, force=force)


USER = ("c" * 64,)


def test_a_name_goes_and_with_the_last_one_the_image(room: Room) -> None:
    ident = room.add("x", "a:1", "a:2")
    assert remove(room, "a:1", users=USER) == [{"Untagged": "a:1"}]
    with pytest.raises(ImageInUse) as caught:
        remove(room, "a:2", users=USER)
    assert str(caught.value) == (
        'conflict: unable to remove repository reference "a:2" (must force) - '
        f"container cccccccccccc is using its referenced image {ident.hex[:12]}"
    )
    assert remove(room, "a:2", users=USER, running=True, force=True) == [{"Untagged": "a:2"}]
    assert room.store.find(ident).references == ()
    assert remove(room, ident.hex[:12]) == [{"Deleted": ident}]
    assert room.store.all() == ()


def test_a_stopped_container_does_not_keep_an_image_whose_last_name_is_forced_away(room: Room) -> None:
    ident = room.add("x", "a:1")
    assert remove(room, "a:1", users=USER, force=True) == [{"Untagged": "a:1"}, {"Deleted": ident}]


def test_an_id_takes_all_names_of_one_repository(room: Room) -> None:
    ident = room.add("x", "a:1", "a:2")
    assert remove(room, ident.hex) == [{"Untagged": "a:1"}, {"Untagged": "a:2"}, {"Deleted": ident}]


def test_an_id_with_several_repositories_must_be_forced(room: Room) -> None:
    ident = room.add("x", "a:1", "b:1")
    with pytest.raises(ImageInUse, match=r"\(must be forced\) - image is referenced in multiple repositories"):
        remove(room, ident.hex)
    assert remove(room, ident.hex, force=True)[-1] == {"Deleted": ident}


def test_containers_stand_in_the_way_of_an_id(room: Room) -> None:
    ident = room.add("x", "a:1")
    with pytest.raises(
        ImageInUse, match=r"\(must be forced\) - image is being used by stopped container cccccccccccc$"
    ):
        remove(room, ident.hex, users=USER)
    with pytest.raises(ImageInUse, match=r"\(cannot be forced\) - image is being used by running container"):
        remove(room, ident.hex, users=USER, running=True, force=True)
    assert remove(room, ident.hex, users=USER, force=True) == [{"Untagged": "a:1"}, {"Deleted": ident}]


def test_a_name_that_looks_like_an_id_is_a_name(room: Room) -> None:
    first = room.add("x")
    second = room.add("y", first.hex[:6], "other:1")
    assert remove(room, first.hex[:6]) == [{"Untagged": f"{first.hex[:6]}:latest"}]
    assert room.store.find(second).references == ("docker.io/library/other:1",)


def test_a_short_name_finds_and_takes_what_it_stands_for(room: Room) -> None:
    def meant(reference: Reference) -> Reference:
        known = reference.familiar_name == "tools"
        return Reference("reg.lan", "team/tools", reference.tag, reference.digest) if known else reference

    ident = room.add("x", "reg.lan/team/tools:1", "other:1")
    store = ImageStore(room.db, room.content, meant=meant)
    assert store.find("tools:1").id == ident and store.find("docker.io/library/tools:1").id == ident
    with pytest.raises(NoSuchImage, match="No such image: tools:2"):
        store.find("tools:2")
    remover = Remover(store, in_use=lambda ident: (), running=lambda user: False)
    assert remover.remove("tools:1", force=False) == [{"Untagged": "reg.lan/team/tools:1"}]
    assert store.find("other:1").id == ident
    room.add("y", "tools:1")  # a name that is here is what it says
    assert ImageStore(room.db, room.content, meant=meant).find("tools:1").id != ident
