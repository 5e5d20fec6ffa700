"""Votes of resources, and the hierarchy that an operation ends up with.

``resolve`` is what every operation calls; the rest is one function per kind of coordinating resource.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedded_zone.errors import IrodsError
from embedded_zone.objects import hooks, replicas, resources
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import GOOD, INTERMEDIATE, LOCKED, STALE, Replica, Request
from embedded_zone.objects.resources import CREATE, OPEN, UNLINK, WRITE, Resource, Tree
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

ZERO, LOW, HIGH = 0.0, 0.25, 1.0


@dataclass
class Election:
    """One operation's voting: what is asked, and each replica's vote so far."""

    agent: Agent
    tree: Tree
    operation: str
    request: Request
    replicas: Sequence[Replica]
    votes: dict[int, float] = field(default_factory=dict)  # replica number -> vote
    winner: str = ""  # the hierarchy that won

    @property
    def requested(self) -> int:
        """The replica number that the client asked for, -1 for none."""
        text = self.request.get(kw.REPL_NUM)
        return int(text) if text.lstrip("-").isdigit() else -1

    def ask(self, resource: Resource, path: str) -> tuple[float, str]:
        """One resource's vote and hierarchy; raises the resource's error."""
        hierarchy = f"{path};{resource.name}" if path else resource.name
        with hooks.resolving(self.agent, resource.name, self.request.path, self.operation, hierarchy):
            if not resource.children and resource.kind not in COORDINATORS:
                return self._leaf_vote(resource), hierarchy
            return COORDINATORS.get(resource.kind, _passthru)(self, resource, hierarchy)

    def _leaf_vote(self, resource: Resource) -> float:
        resources.live(resource)
        if self.operation == CREATE:
            if not resources.has_space(resource, self.request.size):
                raise IrodsError(codes.USER_FILE_TOO_LARGE, f"{resource.name} has not enough free space")
            return HIGH
        replica = resources.replica_on(resource, self.replicas)
        if replica is None:
            return ZERO
        vote = self._replica_vote(replica)
        self.votes[replica.number] = vote
        return vote

    def _replica_vote(self, replica: Replica) -> float:
        if replica.status in LOCKED or (replica.status == INTERMEDIATE and not self._token_fits(replica)):
            return ZERO
        if self.requested > -1:
            return HIGH if replica.number == self.requested else LOW
        preferred = STALE if self.operation == UNLINK else GOOD
        return HIGH if replica.status == preferred else LOW

    def _token_fits(self, replica: Replica) -> bool:
        return replicas.token_is_valid(self.agent, self.request.get(kw.REPLICA_TOKEN), replica)


def _passthru(election: Election, resource: Resource, path: str) -> tuple[float, str]:
    if not resource.children:
        raise IrodsError(codes.CHILD_NOT_FOUND, f"{resource.name} has no child")
    vote, hierarchy = election.ask(resource.children[0], path)
    weight = resource.context.get("read" if election.operation == OPEN else "write")
    return (vote * float(weight) if weight else vote), hierarchy


def _best(election: Election, children: Sequence[Resource], path: str) -> tuple[float, str]:
    """The highest vote; the last child's error if none could answer."""
    votes, error = [], IrodsError(codes.NO_NEXT_RESC_FOUND, "no child could answer")
    for child in children:
        try:
            votes.append(election.ask(child, path))
        except IrodsError as failed:
            error = failed
    if not votes:
        raise error
    return max(votes, key=lambda pair: pair[0])


def _any_child(election: Election, resource: Resource, path: str) -> tuple[float, str]:
    return _best(election, resource.children, path)


def _random(election: Election, resource: Resource, path: str) -> tuple[float, str]:
    if election.operation != CREATE:
        holding = resources.holding_children(resource, election.replicas)
        return _best(election, holding, path) if holding else (ZERO, path)
    error = IrodsError(codes.NO_NEXT_RESC_FOUND, f"{resource.name} has no child")
    for child in resources.shuffled(resource.children):
        try:
            return election.ask(child, path)
        except IrodsError as failed:
            error = failed
    raise error


def _compound(election: Election, resource: Resource, path: str) -> tuple[float, str]:
    """New data goes to the cache; data that lies in the archive only is found there (and staged by ``opening``)."""
    cache, archive = resources.with_role(resource, "cache"), resources.with_role(resource, "archive")
    if cache is None or archive is None:
        raise IrodsError(codes.CHILD_NOT_FOUND, f"{resource.name} needs a cache and an archive")
    if election.operation == CREATE:
        return election.ask(cache, path)
    vote, hierarchy = election.ask(cache, path)
    return (vote, hierarchy) if vote > LOW else _best(election, (cache, archive), path)


Coordinator = Callable[[Election, Resource, str], "tuple[float, str]"]
COORDINATORS: dict[str, Coordinator] = {
    "passthru": _passthru,
    "replication": _any_child,
    "deferred": _any_child,
    "load_balanced": _any_child,
    "random": _random,
    "compound": _compound,
}


def resource_keyword(tree: Tree, request: Request) -> str:
    """The resource that the client named, '' if none; raises if it does not exist or is a child."""
    name = request.get(kw.RESC_NAME)
    name = request.get(kw.DEST_RESC_NAME) or name
    return tree.root(name).name if name else ""


def resolve(
    agent: Agent, operation: str, request: Request, found: Sequence[Replica], missing: IrodsError | None = None
) -> Election:
    """Vote, and answer the election with its ``winner``.

    ``found`` are the replicas, ``missing`` why there are none (raised when the operation needs one).
    """
    tree = Tree(agent)
    named = resource_keyword(tree, request)
    if operation == CREATE and request.has(kw.REPL_NUM):
        operation = WRITE
    election = Election(agent, tree, operation, request, found)
    if operation == CREATE:
        target = scheme_for_create(agent, tree, request, named)
        if not _overwrites(request, found, target):
            election.winner = _create_hierarchy(election, target)
            return election
        election.operation = WRITE
    if missing is not None:
        raise missing
    if request.has(kw.FORCE) and not named:
        named = request.get(kw.DEF_RESC_NAME)
    election.winner = _existing_hierarchy(election, named)
    return election


def _overwrites(request: Request, found: Sequence[Replica], target: str) -> bool:
    """Whether a create is an overwrite: of any replica for a put or copy, else only of one on the target."""
    if not found:
        return False
    logical = request.operation in (kw.PUT_OPR, kw.COPY_DEST, kw.RSYNC_OPR)
    return logical or any(target in replica.hierarchy.split(";") for replica in found)


def scheme_for_create(agent: Agent, tree: Tree, request: Request, named: str) -> str:
    """Ask acSetRescSchemeForCreate (or …ForRepl) and the quota policy which resource gets a new replica."""
    rule = "acSetRescSchemeForRepl" if request.operation == kw.REPLICATE_OPR else "acSetRescSchemeForCreate"
    hooks.require(agent, rule, request=request)
    if not agent.scratch.get("quota_policy_asked"):
        agent.scratch["quota_policy_asked"] = True  # a real agent asks once and remembers
        hooks.require(agent, "acRescQuotaPolicy", request=request)
    forced = hooks.policy(agent, "forced_resource")
    if forced and not agent.is_admin:
        return tree.root(forced).name
    wanted = named or request.get(kw.DEF_RESC_NAME)
    # A resource that is down is silently replaced by the default one, as msiSetDefaultResc does.
    if wanted and not tree.root(wanted).is_down:
        return wanted
    return hooks.policy(agent, "default_resource") or agent.config.default_resource_name


def _create_hierarchy(election: Election, target: str) -> str:
    vote, hierarchy = election.ask(election.tree.root(target), "")
    if vote <= ZERO:
        raise IrodsError(codes.HIERARCHY_ERROR, f"no resource below {target} takes a new replica")
    return hierarchy


def _existing_hierarchy(election: Election, named: str) -> str:
    best_vote, best, by_name = -1.0, "", ""
    for root in sorted({replica.root for replica in election.replicas}):
        try:
            vote, hierarchy = election.ask(election.tree.root(root), "")
        except IrodsError:
            continue  # a resource that cannot answer takes no part
        if vote > ZERO and root == named:
            by_name = by_name or hierarchy
        if vote > max(best_vote, ZERO):
            best_vote, best = vote, hierarchy
    if best_vote <= ZERO:
        raise IrodsError(codes.HIERARCHY_ERROR, "no replica can be used now")
    if election.requested > -1:
        return _requested_hierarchy(election)
    return by_name or best


def _requested_hierarchy(election: Election) -> str:
    replica = next((r for r in election.replicas if r.number == election.requested), None)
    if replica is None:
        raise IrodsError(codes.SYS_REPLICA_DOES_NOT_EXIST, f"there is no replica {election.requested}")
    if election.votes.get(replica.number, ZERO) <= ZERO:
        raise IrodsError(codes.SYS_REPLICA_INACCESSIBLE, f"replica {election.requested} cannot be used now")
    return replica.hierarchy
