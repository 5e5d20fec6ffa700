"""The engine on a zone, without job control: what one object's conversion does to catalogue and storage."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from irods.access import iRODSAccess
from irods.meta import iRODSMeta
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from python_rules.engine import packed
from python_rules.engine.convert import Converted, Tools, Watch, convert_object, prepare_target
from python_rules.engine.keys import FileProvider, Keyring, KeyUse, Log, Who, create_master_key
from python_rules.engine.parallel import Workers
from python_rules.engine.transfer import trees
from python_rules.engine.transfer.listing import Listing
from python_rules.engine.transfer.zone import OLD, Zone
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import from_json
from tests.stack import site

NAMES = [
    "plain.txt",
    "empty",
    "a/b/deep",
    "o'brien & \"co\"/it's ü 100%_<x>.txt",
    "with || and && in/this || that && so",  # beside a quote a real 5.0.2 refuses them itself
    "back\\slash/a\\b",
]


@dataclass
class Place:
    """A new collection of a user, and the engine's tools."""

    session: iRODSSession
    path: str
    other_user: site.Account
    tools: Tools
    content: dict[str, bytes] = field(default_factory=dict)

    def write(self, name: str, content: bytes) -> str:
        """A data object below the place; its path."""
        path = f"{self.path}/{name}"
        self.session.collections.create(path.rpartition("/")[0])
        with self.session.data_objects.open(path, "w") as stream:
            stream.write(content)
        self.content[name] = content
        return path

    def read(self, name: str) -> bytes:
        with self.session.data_objects.open(f"{self.path}/{name}", "r") as stream:
            return bytes(stream.read())

    def hidden(self) -> list[str]:
        """Whatever has a hidden name."""
        rows = self.session.query(DataObject.name, Collection.name)
        return [row[DataObject.name] for row in rows if row[DataObject.name].startswith(".sluice-")]

    def avus(self, name: str) -> dict[str, tuple[str, str | None]]:
        found = self.session.metadata.get(DataObject, f"{self.path}/{name}")
        return {avu.name: (avu.value, avu.units) for avu in found}

    def job(self, job_id: str = "", watch: Watch | None = None, **values: Any) -> list[Converted | JobError]:
        """What a job with these values does, object by object."""
        request = from_json({**values, "source": f"{self.path}/{values['source']}"})
        zone = Zone(self.session, job_id or str(uuid.uuid4()))
        listing = zone.list(request.source, only=request.objects)
        prepare_target(zone, request, listing)
        return [self._one(zone, request, listing, source, watch or Watch()) for source in listing.objects]

    def _one(self, zone: Zone, request: Any, listing: Listing, source: Any, watch: Watch) -> Converted | JobError:
        try:
            return convert_object(zone, request, listing, source, self.tools, watch)
        except JobError as error:
            return error


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[site.Account, site.Account]]:
    chosen = site.chosen(tmp_path_factory.mktemp("zone"))
    mark = uuid.uuid4().hex[:6]
    try:
        yield chosen.make_user(f"carol-{mark}"), chosen.make_user(f"dave-{mark}")
    finally:
        chosen.close()


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    folder = tmp_path_factory.mktemp("keys")
    create_master_key(str(folder / "master"))
    keyring = Keyring(str(folder / "keyring"), FileProvider(str(folder / "master")))
    keyring.create("k", owner="carol#z")
    with Workers(2) as workers:
        yield Tools(workers, KeyUse(keyring, Log(str(folder / "audit")), Who("carol#z")))


@pytest.fixture
def place(users: tuple[site.Account, site.Account], tools: Tools) -> Iterator[Place]:
    with users[0].session() as session:
        path = f"{users[0].home}/{uuid.uuid4().hex[:8]}"
        session.collections.create(path)
        made = Place(session, path, users[1], tools)
        yield made
        assert made.hidden() == []
        session.collections.remove(path, recurse=True, force=True)


def some(size: int = 1000) -> bytes:
    return random.Random(size).randbytes(size // 2) * 2


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_a_tree_there_and_back(place: Place, compression: str) -> None:
    """Every object comes back with its name, whatever is in it; empty collections are mirrored too."""
    for number, name in enumerate(NAMES):
        place.write(f"in/{name}", some(number * 1000) if name != "empty" else b"")
    place.session.collections.create(f"{place.path}/in/nothing here")
    there = place.job(
        operation="compress_encrypt", source="in", target=f"{place.path}/out", key="k", compression=compression
    )
    back = place.job(operation="decrypt_decompress", source="out", target=f"{place.path}/back")
    assert [type(done) for done in there + back] == [Converted] * 2 * len(NAMES), there + back
    for name in NAMES:
        assert place.read(f"back/{name}") == place.content[f"in/{name}"]
    assert place.session.collections.exists(f"{place.path}/back/nothing here")


def test_a_large_object_in_steps(place: Place) -> None:
    """Compress, then encrypt, then decrypt, then decompress: the plain size and hash stay known all the way."""
    place.write("big", some(20_000_000))
    for operation, source, more in [
        ("compress", "big", {}),
        ("encrypt", "big.zst", {"key": "k"}),
        ("decrypt", "big.zst.tink", {"existing": "replace"}),
        ("decompress", "big.zst", {"existing": "replace"}),
    ]:
        done = place.job(operation=operation, source=source, **more)[0]
        assert isinstance(done, Converted), done
    assert place.read("big") == place.content["big"]
    assert place.avus("big.zst.tink")["sluice::plain_size"] == ("20000000", None)
    assert place.avus("big.zst.tink")["sluice::encoding"] == ("zstd+aes256-gcm", None)


def test_metadata_and_rights_go_along(place: Place) -> None:
    """The source's own AVUs and ACLs are on the result; ours say how it is encoded, and go when it is plain again."""
    path = place.write("a.txt", some())
    place.session.metadata.add(DataObject, path, iRODSMeta("project", "Ünïcode", "u"))
    place.session.metadata.add(DataObject, path, iRODSMeta("project", "second"))
    place.session.acls.set(iRODSAccess("read", path, place.other_user.name, place.other_user.zone))
    place.job(operation="encrypt", source="a.txt", key="k")
    avus = place.avus("a.txt.tink")
    assert avus["sluice::key"] == ("k:1", None)
    assert avus["sluice::plain_name"] == ("a.txt", None)
    place.job(operation="decrypt", source="a.txt.tink", target=f"{place.path}/b.txt")
    kept = place.session.metadata.get(DataObject, f"{place.path}/b.txt")
    assert {(avu.value, avu.units) for avu in kept if avu.name == "project"} == {("Ünïcode", "u"), ("second", None)}
    assert "sluice::encoding" not in place.avus("b.txt")
    rights = place.session.acls.get(place.session.data_objects.get(f"{place.path}/b.txt"))
    assert place.other_user.name in {right.user_name for right in rights}


@pytest.mark.parametrize(("existing", "expected"), [("refuse", JobError), ("skip", Converted), ("replace", Converted)])
def test_existing_targets(place: Place, existing: str, expected: type) -> None:
    """They are refused, left, or replaced only when the new object is whole."""
    place.write("a", some())
    place.write("a.zst", b"in the way")
    done = place.job(operation="compress", source="a", existing=existing)[0]
    assert isinstance(done, expected)
    assert (place.read("a.zst") == b"in the way") == (existing != "replace")


def test_a_collection_in_the_way(place: Place) -> None:
    """Nothing is moved into it."""
    place.write("a", some())
    place.session.collections.create(f"{place.path}/a.zst")
    done = place.job(operation="compress", source="a", existing="replace")[0]
    assert isinstance(done, JobError)
    assert done.code == "target_exists"
    assert place.session.collections.get(f"{place.path}/a.zst").data_objects == []


def test_the_same_job_again(place: Place) -> None:
    """What an attempt published is not done a second time, and not refused as existing."""
    place.write("a", some())
    again = str(uuid.uuid4())
    first = place.job(again, operation="compress", source="a")[0]
    made = place.session.data_objects.get(f"{place.path}/a.zst").id
    second = place.job(again, operation="compress", source="a")[0]
    assert isinstance(first, Converted)
    assert isinstance(second, Converted)
    assert first.plain_sha256 == second.plain_sha256
    assert place.session.data_objects.get(f"{place.path}/a.zst").id == made


@pytest.mark.parametrize("original", ["keep", "trash", "remove"])
def test_the_original(place: Place, original: str) -> None:
    """It goes only as asked."""
    place.write("a", some())
    place.job(operation="compress", source="a", original=original)
    assert place.session.data_objects.exists(f"{place.path}/a") == (original == "keep")
    assert place.session.data_objects.exists(f"{place.path}/a.zst")


@pytest.mark.parametrize("at", [0, 30, 500, -1])
def test_damage_publishes_nothing(place: Place, at: int) -> None:
    """A changed byte of sealed data names object and offset; there is no target afterwards."""
    place.write("a", some())
    place.job(operation="compress_encrypt", source="a", key="k")
    sealed = bytearray(place.read("a.zst.tink"))
    sealed[at] ^= 1
    place.write("a.zst.tink", bytes(sealed))
    done = place.job(operation="decrypt_decompress", source="a.zst.tink", target=f"{place.path}/back")[0]
    assert isinstance(done, JobError)
    assert done.code == "corrupt_ciphertext"
    assert done.object_path == f"{place.path}/a.zst.tink"
    assert done.offset is not None
    assert not place.session.data_objects.exists(f"{place.path}/back")


def test_other_data_than_recorded(place: Place) -> None:
    """A compressed object that was exchanged for another is noticed by the plain data's hash."""
    place.write("a", some(1000))
    place.write("b", some(1000)[::-1])
    place.job(operation="compress", source="a")
    place.job(operation="compress", source="b")
    place.write("a.zst", place.read("b.zst"))
    done = place.job(operation="decompress", source="a.zst", target=f"{place.path}/back")[0]
    assert isinstance(done, JobError)
    assert done.code == "verification_failed"
    assert not place.session.data_objects.exists(f"{place.path}/back")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"operation": "decompress", "source": "text"}, "wrong_encoding"),
        ({"operation": "decrypt", "source": "text"}, "wrong_encoding"),
        ({"operation": "encrypt", "source": "text", "key": "nope"}, "key_not_found"),
        ({"operation": "compress", "source": "text", "objects": []}, None),
    ],
)
def test_what_cannot_be_done(place: Place, values: dict[str, Any], code: str | None) -> None:
    """An error of one object has its path and makes nothing."""
    path = place.write("text", b"only text")
    done = place.job(**values)[0]
    assert getattr(done, "code", None) == code
    if isinstance(done, JobError):
        assert done.object_path == path
        assert len(place.session.collections.get(place.path).data_objects) == 1


def test_missing_places(place: Place) -> None:
    """A source or a target's collection that is not there is said before anything is made."""
    place.write("a", some())
    for values, code in [
        ({"source": "nope"}, "source_not_found"),
        ({"source": "a", "target": f"{place.path}/no/where"}, "target_collection_not_found"),
    ]:
        with pytest.raises(JobError) as caught:
            place.job(operation="compress", **values)
        assert caught.value.code == code


def test_only_some_objects(place: Place) -> None:
    """A retry names what it wants; a name that is gone is an error of its own."""
    for name in ("in/a", "in/c/b", "in/x/y"):
        place.write(name, some())
    done = place.job(operation="compress", source="in", target=f"{place.path}/out", objects=["c/b", "gone"])
    assert isinstance(done[0], Converted)
    assert isinstance(done[1], JobError)
    assert done[1].code == "source_not_found"
    assert [c.name for c in place.session.collections.get(f"{place.path}/out").subcollections] == ["c"]


def test_cancelled(place: Place) -> None:
    """A cancelled object leaves nothing, also in the middle of a pass."""
    place.write("big", some(30_000_000))
    read: list[int] = []
    watch = Watch(lambda r, _w: read.append(r), lambda: sum(read) > 9_000_000)
    done = place.job(operation="compress", source="big", watch=watch)[0]
    assert isinstance(done, JobError)
    assert done.code == "cancelled"
    assert not place.session.data_objects.exists(f"{place.path}/big.zst")


def test_clean_undoes_a_broken_attempt(place: Place) -> None:
    """What a killed engine left goes; an object that 'replace' had taken away comes back."""
    job_id = str(uuid.uuid4())
    zone = Zone(place.session, job_id)
    place.write(f"c/.sluice-{job_id}-17", b"half")
    place.write("c/d/.sluice-00000000-0000-0000-0000-000000000000-17", b"of another job")
    old = place.write(f"c/.sluice-{job_id}-17{OLD}", b"the old one")
    place.session.metadata.add(DataObject, old, iRODSMeta("sluice::replaced", "final"))
    assert zone.clean([f"{place.path}/c"]) == ()
    assert place.read("c/final") == b"the old one"
    assert len(place.hidden()) == 1
    place.session.data_objects.unlink(f"{place.path}/c/d/.sluice-00000000-0000-0000-0000-000000000000-17", force=True)


def test_auto_compresses_what_shrinks(place: Place) -> None:
    """Each object of a job is sampled by itself; what does not shrink stays, or is copied as it is."""
    place.write("in/text", b"the same again and again " * 300_000)
    place.write("in/noise", random.Random(3).randbytes(100_000))
    beside = place.job(operation="compress", source="in", compression="auto")
    assert [getattr(done, "skipped", None) for done in beside] == [True, False]
    assert "shrink to" in str(beside[0])
    copied = place.job(operation="compress", source="in/noise", compression="auto", target=f"{place.path}/copy")
    assert isinstance(copied[0], Converted)
    assert place.read("copy") == place.content["in/noise"]
    assert place.read("in/text.zst")[:4] == bytes.fromhex("28b52ffd")


def test_more_objects_than_a_page(place: Place) -> None:
    """A listing goes on over the pages of the catalogue's answer."""
    place.session.collections.create(f"{place.path}/many")
    for number in range(520):
        place.session.data_objects.create(f"{place.path}/many/{number:04}")
    listing = Zone(place.session, str(uuid.uuid4())).list(f"{place.path}/many")
    assert [found.relative for found in listing.objects] == [f"{number:04}" for number in range(520)]


def test_the_keys_stay_out_of_the_catalogue(place: Place, tmp_path: Path) -> None:
    """No AVU holds a secret."""
    place.write("a", some())
    place.job(operation="encrypt", source="a", key="k")
    secret = place.tools.keyring.sealing_key("k", place.path).secret
    assert all(secret.hex() not in str(avu) for avu in place.avus("a.tink").values())


def filled(place: Place) -> None:
    """A tree with awkward names, an empty collection, AVUs and ACLs."""
    for number, name in enumerate([*NAMES, "/".join(["ü" * 60] * 3) + "/long"]):
        place.write(f"in/{name}", some(number * 1000) if name != "empty" else b"")
    place.write("in/big", some(5_000_000))
    place.session.collections.create(f"{place.path}/in/nothing here")
    place.session.metadata.add(DataObject, f"{place.path}/in/plain.txt", iRODSMeta("project", "Ünï=code", "u"))
    place.session.metadata.add(Collection, f"{place.path}/in", iRODSMeta("experiment", "42"))
    right = iRODSAccess("read", f"{place.path}/in/plain.txt", place.other_user.name, place.other_user.zone)
    place.session.acls.set(right)


def pack_job(place: Place, job_id: str = "", **values: Any) -> list[Converted | JobError]:
    """As Place.job, for jobs that pack."""
    request = from_json({**values, "source": f"{place.path}/{values['source']}", "pack": True})
    zone = Zone(place.session, job_id or str(uuid.uuid4()))
    try:
        listing = packed.as_one(zone, request, zone.list(request.source, only=request.objects))
        prepare_target(zone, request, listing)
        return [packed.work_on(zone, request, listing, source, place.tools, Watch()) for source in listing.objects]
    except JobError as error:
        return [error]


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_a_collection_packed_and_back(place: Place, compression: str) -> None:
    """One object holds names, contents, empty collections, AVUs and ACLs; a job done twice is done once."""
    filled(place)
    job_id = str(uuid.uuid4())
    given = {"operation": "compress_encrypt", "source": "in", "key": "k", "compression": compression}
    first, again = pack_job(place, job_id, **given)[0], pack_job(place, job_id, **given)[0]
    assert isinstance(first, Converted), first
    assert isinstance(again, Converted)
    suffix = ".zst" if compression == "zstd" else ""
    assert first.target == again.target == f"{place.path}/in.tar{suffix}.tink"
    assert place.avus(f"in.tar{suffix}.tink")["experiment"] == ("42", None)
    operation = "decrypt_decompress" if suffix else "decrypt"
    source = f"in.tar{suffix}.tink"
    back = pack_job(place, operation=operation, source=source, target=f"{place.path}/back")[0]
    assert isinstance(back, Converted), back
    assert back.plain_sha256 == first.plain_sha256
    same_tree(place)
    assert getattr(pack_job(place, operation=operation, source=source)[0], "code", "") == "target_exists"


def same_tree(place: Place) -> None:
    """What was unpacked is what was packed."""
    for name, content in place.content.items():
        assert place.read("back" + name.removeprefix("in")) == content
    assert place.session.collections.exists(f"{place.path}/back/nothing here")
    assert place.avus("back/plain.txt") == {"project": ("Ünï=code", "u")}
    rights = place.session.acls.get(place.session.data_objects.get(f"{place.path}/back/plain.txt"))
    assert place.other_user.name in {right.user_name for right in rights}
    about = {avu.name: avu.value for avu in place.session.metadata.get(Collection, f"{place.path}/back")}
    assert about["experiment"] == "42"
    times = [place.session.data_objects.get(f"{place.path}/{top}/plain.txt").modify_time for top in ("in", "back")]
    assert times[0].replace(microsecond=0) == times[1].replace(microsecond=0)


def test_a_packed_collection_that_is_damaged(place: Place) -> None:
    """Nothing is unpacked, not even what was before the damage."""
    filled(place)
    assert isinstance(pack_job(place, operation="compress", source="in")[0], Converted)
    data = bytearray(place.read("in.tar.zst"))
    data[-5000] ^= 1
    place.write("in.tar.zst", bytes(data))
    done = pack_job(place, operation="decompress", source="in.tar.zst", target=f"{place.path}/back")[0]
    assert isinstance(done, JobError)
    assert done.offset is not None
    left = {found.name for found in place.session.collections.get(place.path).subcollections}
    assert left == {"in"}


def test_packing_takes_the_original_away(place: Place) -> None:
    """Where that was asked for, and only what was packed."""
    filled(place)
    assert isinstance(pack_job(place, operation="compress", source="in", original="remove")[0], Converted)
    assert not place.session.collections.exists(f"{place.path}/in")


def test_what_a_broken_unpacking_left_goes(place: Place) -> None:
    """The hidden collection of a killed attempt, at the next one."""
    job_id = str(uuid.uuid4())
    place.write(f".sluice-{job_id}-17-1/a/b", b"half")
    other = place.write(".sluice-00000000-0000-0000-0000-000000000000-17/a", b"of another job")
    trees.clear(place.session, place.session, job_id)
    assert not place.session.collections.exists(f"{place.path}/.sluice-{job_id}-17-1")
    assert place.session.data_objects.exists(other)
    assert Zone(place.session, job_id).list(place.path).objects == ()


def test_only_collections_are_packed(place: Place) -> None:
    """A data object is compressed as it is."""
    place.write("a", some())
    done = pack_job(place, operation="compress", source="a")[0]
    assert isinstance(done, JobError)
    assert done.field == "pack"
