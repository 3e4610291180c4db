"""Ports: the usual ones when free, others when not, the same again next time, and never a collision."""

from __future__ import annotations

import json
import shutil
import socket
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoloader.errors import StackError
from autoloader.stack import Stack
from autoloader.stack.home import Home, Remembered
from autoloader.stack.object_store import ObjectStore
from autoloader.stack.parts import bring_up, take_down
from autoloader.stack.ports import all_of, choose, is_free
from autoloader.stack.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_s3.service_resource import Bucket, S3ServiceResource

    from autoloader.settings import Connections
    from autoloader.stack.processes import Detached

USUAL = (8333, 8181, 5432)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    home = tmp_path / "home"
    stack = Stack(home)
    yield stack
    if stack.stop():
        shutil.rmtree(home)  # some 50 MB each, which pytest would keep for three runs


def listener(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def listening(stack: Stack) -> set[tuple[str, int]]:
    processes = [psutil.Process(pid) for pid in {part.pid for part in stack.status()} if pid]
    family = [each for process in processes for each in (process, *process.children(recursive=True))]
    return {address for process in family for address in listening_addresses(process)}


def listening_addresses(process: psutil.Process) -> set[tuple[str, int]]:
    """None for one that is gone: PostgreSQL starts and ends small processes all the time."""
    try:
        connections = process.net_connections("inet")
    except psutil.NoSuchProcess:
        return set()
    return {(each.laddr.ip, each.laddr.port) for each in connections if each.status == psutil.CONN_LISTEN}


def ports_of(home: Path) -> list[int]:
    remembered = json.loads((home / "state.json").read_bytes())["ports"]
    return [port for ports in remembered.values() for port in all_of(ports)]


def put(connections: Connections, key: str, body: bytes) -> None:
    bucket(connections).Object(key).put(Body=body)


def bucket(connections: Connections) -> Bucket:
    s3: S3ServiceResource = boto3.resource(
        "s3",
        endpoint_url=connections.s3_endpoint_url,
        aws_access_key_id=connections.s3_access_key_id,
        aws_secret_access_key=connections.s3_secret_access_key,
        region_name=connections.s3_region,
    )
    return s3.Bucket("landing")


def test_everything_listens_on_this_machine_only_and_on_ports_we_chose(stack: Stack, tmp_path: Path) -> None:
    stack.start()
    found = listening(stack)
    assert {address for address, _ in found} == {"127.0.0.1"}
    assert {port for _, port in found} == set(ports_of(tmp_path / "home"))


class Held(ExitStack):
    """Ports on which other programs listen, as far as this test can see to it."""

    def take(self, ports: Iterable[int]) -> None:
        """Listen on those that are free; one that another program has already is just as good."""
        for port in ports:
            with suppress(OSError):
                self.enter_context(closing(listener(port)))


def test_taken_ports_are_avoided_and_the_data_follow_to_the_new_ones(stack: Stack, tmp_path: Path) -> None:
    with Held() as usual:  # to the end: another stack may take a usual port at any time, and would take it from us
        usual.take(USUAL)
        first = stack.start()
        put(first, "a", b"1")
        before = ports_of(tmp_path / "home")
        assert not set(USUAL) & set(before)

        stack.stop()
        with Held() as held:
            usual.take(USUAL)
            held.take(before)
            second = stack.start()
            put(second, "b", b"2")
            after = ports_of(tmp_path / "home")
            assert not {*USUAL, *before} & set(after)
            assert [item.get()["Body"].read() for item in bucket(second).objects.all()] == [b"1", b"2"]

        stack.stop()
        assert not [file for port in after for file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]  # noqa: S108  SeaweedFS' own fixed place
        usual.take(USUAL)
        again = stack.start()
        put(again, "c", b"3")
        assert again == second
        assert [item.get()["Body"].read() for item in bucket(again).objects.all()] == [b"1", b"2", b"3"]


def test_a_port_lost_at_the_last_moment_is_replaced(stack: Stack, tmp_path: Path) -> None:
    with Held() as held:
        lost: dict[str, int] = {}

        def take_the_first_announced(line: str) -> None:
            part, _, port = line.removeprefix("Starting ").partition(" on 127.0.0.1:")
            if port and part not in lost:
                lost[part] = int(port)
                held.take([int(port)])

        connections = stack.start(take_the_first_announced)
        put(connections, "a", b"1")
        assert set(lost) == {"object store", "postgresql"}
        assert not set(lost.values()) & set(ports_of(tmp_path / "home"))


class UnluckyPostgres(Postgres):
    """At its first start another program has its port, and lets go of it before anybody looks."""

    lost: int | None = None

    def start(self, ports: Mapping[str, int], log: Path) -> Detached:
        if self.lost is not None:
            return super().start(ports, log)
        self.lost = ports["postgresql"]
        with closing(listener(self.lost)):
            child = super().start(ports, log)
            child.wait(60)
        return child


class UnluckyStore(ObjectStore):
    """As above."""

    lost: int | None = None

    def start(self, ports: Mapping[str, int], log: Path) -> Detached:
        if self.lost is not None:
            return super().start(ports, log)
        self.lost = ports["s3"]
        with closing(listener(self.lost)):
            child = super().start(ports, log)
            child.wait(60)
        return child


@pytest.mark.parametrize("unlucky", [UnluckyPostgres, UnluckyStore])
def test_a_port_lost_for_a_moment_only_is_replaced_as_well(
    unlucky: type[UnluckyPostgres | UnluckyStore], tmp_path: Path
) -> None:
    home, state = Home(tmp_path / "home"), Remembered()
    home.folder.mkdir()
    home.make()
    part = unlucky(home)
    try:
        bring_up([part], home, state, lambda _: None)
        assert part.lost is not None
        assert part.lost not in all_of(state.ports[part.name])
        assert part.check(state.ports[part.name]) is None
    finally:
        take_down([part], state)
        shutil.rmtree(home.folder)


def test_two_homes_run_side_by_side_with_different_keys_and_ports(stack: Stack, tmp_path: Path) -> None:
    other = Stack(tmp_path / "other")
    try:
        one, two = stack.start(), other.start()
        assert not set(ports_of(tmp_path / "home")) & set(ports_of(tmp_path / "other"))
        assert one.s3_access_key_id != two.s3_access_key_id
        assert one.s3_secret_access_key != two.s3_secret_access_key
        put(one, "here", b"1")
        assert [item.key for item in bucket(two).objects.all()] == []
    finally:
        other.stop()
        shutil.rmtree(tmp_path / "other")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d+grpc", "e+grpc"]), unique=True, min_size=1))
def test_chosen_ports_are_free_and_all_different(names: list[str]) -> None:
    chosen = choose(dict.fromkeys(names), remembered={})
    claimed = all_of(chosen)
    assert len(claimed) == len(names) + sum(name.endswith("+grpc") for name in names)
    assert list(chosen) == names
    assert len(set(claimed)) == len(claimed)
    assert all(is_free(port) for port in claimed)


def test_the_remembered_port_comes_first_then_the_usual_one_then_any() -> None:
    with closing(listener()) as one, closing(listener()) as two:
        remembered, usual = one.getsockname()[1], two.getsockname()[1]
    wanted = {"s3": usual}
    assert choose(wanted, remembered={"s3": remembered}) == {"s3": remembered}
    assert choose(wanted, remembered={"s3": remembered}, avoid=[remembered]) == {"s3": usual}
    with closing(listener(usual)):
        assert not is_free(usual)
        assert choose(wanted, remembered={})["s3"] not in {usual, remembered}


def test_no_port_left_says_so() -> None:
    with pytest.raises(StackError, match="No free TCP port"):
        choose({"s3": 20_000}, remembered={}, avoid=range(65_536))
